// A real OpenID provider (oidc-provider) for the tests: `node tests/idp/idp.mjs [PORT]`, run in the folder into which
// scripts/tools.sh installed it. Prints one JSON line with its issuer when it is ready, and ends when its stdin does.
//
// Callers are OAuth clients with the grant client_credentials and the secret `secret-of-<name>`. Their access tokens are
// RFC 9068 JWTs whose subject and claims the table below says. `resource=urn:bouncer:NAME` sets the audience NAME;
// without it, it is `llm-gateway`.
//
// What the tests turn: POST /control/rotate {"keep": true|false}, POST /control/callers {"name": {...}},
// POST /control/fault {"status": 503} or {}, GET /control/counts.

import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const installed = createRequire(`${process.cwd()}/`);
const { default: Provider } = await import(pathToFileURL(installed.resolve('oidc-provider')));

const HOUR = 3600;

// sub, claims: as the token says them. auth_age: seconds since the authentication. ttl: seconds. alg: of the signature.
const callers = {
  alice: { sub: 'alice', auth_age: 60, claims: { amr: ['pwd'], groups: ['staff'] } },
  'alice-es256': { sub: 'alice', alg: 'ES256', auth_age: 60, claims: { amr: ['pwd'], groups: ['staff'] } },
  'alice-mfa': { sub: 'alice', auth_age: 0, claims: { amr: ['pwd', 'otp', 'mfa'], acr: 'urn:example:mfa', groups: ['staff'] } },
  'alice-acr': { sub: 'alice', auth_age: 0, claims: { acr: 'urn:example:mfa' } },
  'alice-stale': { sub: 'alice', auth_age: 10 * HOUR, claims: { amr: ['pwd', 'otp', 'mfa'], acr: 'urn:example:mfa' } },
  'alice-timeless': { sub: 'alice', claims: { amr: ['pwd', 'otp', 'mfa'], acr: 'urn:example:mfa' } },
  'alice-short': { sub: 'alice', ttl: 5, auth_age: 60, claims: { amr: ['pwd'] } },
  'alice-expired': { sub: 'alice', ttl: 1, aged: 2 * HOUR, auth_age: 3 * HOUR, claims: { amr: ['pwd'] } },
  batch: { sub: 'batch', claims: { idtyp: 'app' } },
};

const counts = { discovery: 0, jwks: 0, token: 0 };
let fault = null;
let keys = newKeys();
let provider;

function newKeys() {
  const jwk = (pair, alg) => ({ ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() });
  return [
    jwk(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'),
    jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256'),
  ];
}

function build(issuer) {
  const built = new Provider(issuer, {
    jwks: { keys },
    clients: Object.keys(callers).map((name) => ({
      client_id: name,
      client_secret: `secret-of-${name}`,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
    })),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:bouncer:llm-gateway',
        getResourceServerInfo: (ctx, resource, client) => ({
          scope: '',
          audience: resource.replace('urn:bouncer:', ''),
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: callers[client.clientId].alg ?? 'RS256' } },
        }),
      },
    },
    ttl: { ClientCredentials: (ctx, token, client) => callers[client.clientId].ttl ?? HOUR },
    formats: {
      customizers: {
        jwt: (ctx, token, jwt) => {
          const { sub, claims, auth_age: age, aged = 0 } = callers[token.clientId];
          Object.assign(jwt.payload, claims, sub === undefined ? {} : { sub });
          if (age !== undefined) jwt.payload.auth_time = Math.floor(Date.now() / 1000) - age;
          jwt.payload.iat -= aged;
          jwt.payload.exp -= aged;
        },
      },
    },
  });
  built.on('server_error', (ctx, error) => console.error(error));
  return built.callback();
}

async function body(request) {
  let text = '';
  for await (const part of request) text += part;
  return text === '' ? {} : JSON.parse(text);
}

const control = {
  'POST /control/rotate': async (request) => {
    const { keep = true } = await body(request);
    const fresh = newKeys();
    keys = keep ? [...fresh, ...keys] : fresh;
    provider = build(issuer);
    return { kids: keys.map((key) => key.kid) };
  },
  'POST /control/callers': async (request) => {
    Object.assign(callers, await body(request));
    provider = build(issuer);
    return {};
  },
  'POST /control/fault': async (request) => {
    fault = (await body(request)).status ?? null;
    return {};
  },
  'GET /control/counts': async () => counts,
};

const endpoints = { '/.well-known/openid-configuration': 'discovery', '/jwks': 'jwks', '/token': 'token' };

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  const run = control[`${request.method} ${pathname}`];
  if (run) {
    try {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(await run(request)));
    } catch (error) {
      response.writeHead(400).end(String(error));
    }
    return;
  }
  if (endpoints[pathname]) counts[endpoints[pathname]] += 1;
  if (fault !== null) {
    response.writeHead(fault).end('out of order');
    return;
  }
  provider(request, response);
});

let issuer;
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  provider = build(issuer);
  console.log(JSON.stringify({ issuer }));
});

// Whoever started it is gone: so is it.
process.stdin.resume().on('end', () => process.exit(0));
