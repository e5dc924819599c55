// The clients of the identity provider: callers, who are in the table, and workloads, which the tests add.

import { generateKeyPairSync } from 'node:crypto';

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

const GRANTS = [
  'client_credentials',
  'refresh_token',
  'authorization_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
];

export class Clients {
  #all = new Map();

  #added;

  constructor(added = {}) {
    this.#added = added;
    for (const [id, client] of Object.entries({ ...callers, ...added })) this.#all.set(id, client);
  }

  // What is not in the table above.
  added() {
    return this.#added;
  }

  find(id) {
    return this.#all.get(id);
  }

  // As oidc-provider wants it.
  metadata(id) {
    const client = this.#all.get(id);
    if (!client) return undefined;
    const common = { client_id: id, redirect_uris: [], response_types: [] };
    if (client.metadata) {
      return {
        ...common,
        redirect_uris: ['https://workload.example/callback'],
        response_types: ['code'],
        grant_types: GRANTS,
        ...client.metadata,
      };
    }
    return {
      ...common,
      client_secret: `secret-of-${id}`,
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_post',
    };
  }

  addCallers(more) {
    this.#add(more);
    return {};
  }

  // metadata: as oidc-provider has it (client_secret, token_endpoint_auth_method, …). scope: what it may ask for. resource:
  // urn:bouncer: and the audience of its tokens. key: RS256 or ES256 makes it a key, whose private half is the answer.
  addWorkloads(more) {
    const answer = {};
    for (const [id, { key, ...wanted }] of Object.entries(more)) {
      const before = this.#all.get(id);
      const client = { ...before, ...wanted, metadata: { ...before?.metadata, ...wanted.metadata } };
      answer[id] = {};
      if (key) {
        const pair = key === 'RS256'
          ? generateKeyPairSync('rsa', { modulusLength: 2048 })
          : generateKeyPairSync('ec', { namedCurve: 'P-256' });
        client.metadata.jwks = { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), alg: key, use: 'sig' }] };
        answer[id].private_key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
      }
      this.#add({ [id]: client });
    }
    return answer;
  }

  #add(more) {
    Object.assign(this.#added, more);
    for (const [id, client] of Object.entries(more)) this.#all.set(id, client);
  }
}
