// A real OpenID provider (oidc-provider) for the tests: `node tests/idp/idp.mjs [PORT] [--state FILE] [--tls FOLDER]`, run
// in the folder into which scripts/tools.sh installed it. Prints one JSON line with its issuer when it is ready, one more
// for each exchange, and ends when its stdin does.
//
// Callers are OAuth clients with the grant client_credentials and the secret `secret-of-<name>`. Their access tokens are
// RFC 9068 JWTs whose subject and claims the table in clients.mjs says. `resource=urn:bouncer:NAME` sets the audience NAME;
// without it, it is `llm-gateway`. Workloads are the other clients: what bouncer is, towards a provider.
//
// --state FILE: keys and clients outlive this process. --tls FOLDER: the same provider once more behind mutual TLS
// (`server.pem`, `server.key`, `ca.pem` of the folder), for tls_client_auth.
//
// What the tests turn:
//   POST /control/rotate {"keep": true|false, "sign": "new"|"old"}   keys; keep: the old ones stay in the set
//   POST /control/callers {"name": {...}}                            callers, as in clients.mjs
//   POST /control/clients {"name": {...}}                            workloads, as in clients.mjs; answers with private keys
//   POST /control/trust {"issuer": "jwks_uri"}                       whose tokens may be exchanged
//   POST /control/refresh_token {"client": …, "scope": …}            a refresh token, as somebody's consent would bring it
//   POST /control/fault {"status": 503, "only": "token", "retry_after": 7} or {}
//   GET /control/counts

import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';

import { Clients } from './clients.mjs';
import { registerGrants, standsFor } from './grants.mjs';

const installed = createRequire(`${process.cwd()}/`);
const { default: Provider } = await import(pathToFileURL(installed.resolve('oidc-provider')));
const jose = await import(pathToFileURL(installed.resolve('jose')));

const { values: options, positionals: [port = '0'] } = parseArgs({
  allowPositionals: true,
  options: { state: { type: 'string' }, tls: { type: 'string' } },
});

const HOUR = 3600;

const saved = options.state && existsSync(options.state) ? JSON.parse(readFileSync(options.state)) : {};
const clients = new Clients(saved.clients);
const counts = { discovery: 0, jwks: 0, token: 0 };
const trust = new Map(Object.entries(saved.trust ?? {}));
const storage = new Map();
let fault = null;
let keys = saved.keys ?? newKeys();
let provider;
let issuer;

function newKeys() {
  const jwk = (pair, alg) => ({ ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() });
  return [
    jwk(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'),
    jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256'),
  ];
}

function save() {
  const state = { keys, clients: clients.added(), trust: Object.fromEntries(trust) };
  if (options.state) writeFileSync(options.state, JSON.stringify(state));
}

// What oidc-provider keeps: clients as the table has them at this moment, everything else in memory.
class Adapter {
  constructor(model) {
    this.model = model;
  }

  async find(id) {
    return this.model === 'Client' ? clients.metadata(id) : storage.get(`${this.model}:${id}`);
  }

  async upsert(id, payload) {
    storage.set(`${this.model}:${id}`, payload);
  }

  async consume(id) {
    storage.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    storage.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId(grantId) {
    for (const [key, payload] of storage) if (payload.grantId === grantId) storage.delete(key);
  }
}

function resourceServer(resource, clientId) {
  const { alg = 'RS256', scope = '' } = clients.find(clientId);
  return {
    scope,
    audience: resource.replace('urn:bouncer:', ''),
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg } },
  };
}

const life = (ctx, token, client) => clients.find(client.clientId).ttl ?? HOUR;

function build() {
  const built = new Provider(issuer, {
    jwks: { keys },
    adapter: Adapter,
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'none',
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
        certificateAuthorized: (ctx) => ctx.socket.authorized === true,
        certificateSubjectMatches: (ctx, property, expected) =>
          property === 'tls_client_auth_san_uri'
          && ctx.socket.getPeerX509Certificate().subjectAltName.split(', ').includes(`URI:${expected}`),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client) => clients.find(client.clientId).resource ?? 'urn:bouncer:llm-gateway',
        getResourceServerInfo: (ctx, resource, client) => resourceServer(resource, client.clientId),
      },
    },
    findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    rotateRefreshToken: true,
    ttl: { ClientCredentials: life, AccessToken: life, RefreshToken: HOUR, Grant: HOUR },
    formats: {
      customizers: {
        jwt: (ctx, token, jwt) => {
          const { sub, claims, auth_age: age, aged = 0 } = clients.find(token.clientId);
          Object.assign(jwt.payload, claims, sub === undefined ? {} : { sub }, standsFor.get(token));
          if (age !== undefined) jwt.payload.auth_time = Math.floor(Date.now() / 1000) - age;
          jwt.payload.iat -= aged;
          jwt.payload.exp -= aged;
        },
      },
    },
  });
  registerGrants(built, { jose, trust, resourceServer });
  built.on('server_error', (ctx, error) => console.error(error));
  // One line an exchange, before its answer is on its way. No secret and no token is in it.
  const told = (ctx, error) => {
    const body = ctx.oidc?.body ?? {};
    console.log(JSON.stringify({
      exchange: ctx.oidc?.client?.clientId ?? null,
      grant: body.grant_type ?? null,
      auth: ctx.oidc?.client?.clientAuthMethod ?? null,
      scope: body.scope ?? null,
      resource: body.resource ?? null,
      audience: body.audience ?? null,
      error: error?.message ?? null,
      why: error?.error_description ?? null,
    }));
  };
  built.on('grant.success', (ctx) => told(ctx));
  built.on('grant.error', told);
  return built;
}

async function body(request) {
  let text = '';
  for await (const part of request) text += part;
  return text === '' ? {} : JSON.parse(text);
}

const control = {
  'POST /control/rotate': async (request) => {
    const { keep = true, sign = 'new' } = await body(request);
    const fresh = newKeys();
    // The first one that fits signs.
    if (!keep) keys = fresh;
    else if (sign === 'old') keys = [...keys, ...fresh];
    else keys = [...fresh, ...keys];
    provider = build();
    return { kids: keys.map((key) => key.kid) };
  },
  // The newer half signs from now on, or the older half goes: the later steps of a rotation that began with sign: old.
  'POST /control/rotated': async (request) => {
    const { drop = false } = await body(request);
    keys = drop ? keys.slice(0, 2) : [...keys.slice(2), ...keys.slice(0, 2)];
    provider = build();
    return { kids: keys.map((key) => key.kid) };
  },
  'POST /control/callers': async (request) => clients.addCallers(await body(request)),
  'POST /control/clients': async (request) => clients.addWorkloads(await body(request)),
  'POST /control/trust': async (request) => {
    for (const [iss, uri] of Object.entries(await body(request))) trust.set(iss, uri);
    return {};
  },
  'POST /control/refresh_token': async (request) => {
    const { client: id, scope } = await body(request);
    const client = await provider.Client.find(id);
    const { resource } = clients.find(id);
    const grant = new provider.Grant({ accountId: id, clientId: id });
    grant.addResourceScope(resource, scope);
    const grantId = await grant.save();
    const token = new provider.RefreshToken({ accountId: id, client, grantId, resource, scope, gty: 'authorization_code' });
    return { refresh_token: await token.save() };
  },
  'POST /control/fault': async (request) => {
    const wanted = await body(request);
    fault = wanted.status === undefined ? null : wanted;
    return {};
  },
  'GET /control/counts': async () => counts,
};

const endpoints = { '/.well-known/openid-configuration': 'discovery', '/jwks': 'jwks', '/token': 'token' };

async function serve(request, response) {
  const { pathname } = new URL(request.url, issuer);
  const run = control[`${request.method} ${pathname}`];
  if (run) {
    try {
      const answer = await run(request);
      if (request.method === 'POST') save();
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    } catch (error) {
      response.writeHead(400).end(String(error.stack));
    }
    return;
  }
  const endpoint = endpoints[pathname];
  if (endpoint) counts[endpoint] += 1;
  if (fault !== null && (fault.only === undefined || fault.only === endpoint)) {
    if (fault.retry_after !== undefined) response.setHeader('retry-after', String(fault.retry_after));
    response.writeHead(fault.status).end('out of order');
    return;
  }
  provider.callback()(request, response);
}

const ready = { issuer: undefined, tls: undefined };
const server = createServer(serve);
const announce = () => {
  ready.issuer = issuer;
  console.log(JSON.stringify(ready));
};
server.listen(Number(port), '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  provider = build();
  save();
  if (!options.tls) {
    announce();
    return;
  }
  const file = (name) => readFileSync(join(options.tls, name));
  const tls = createTlsServer(
    { key: file('server.key'), cert: file('server.pem'), ca: file('ca.pem'), requestCert: true, rejectUnauthorized: false },
    serve,
  );
  tls.listen(0, '127.0.0.1', () => {
    ready.tls = `https://localhost:${tls.address().port}`;
    announce();
  });
});

// Whoever started it is gone: so is it.
process.stdin.resume().on('end', () => process.exit(0));
