// Token exchange (RFC 8693) and JWT bearer (RFC 7523) as custom grants of oidc-provider. Each verifies the token that it is
// shown, against the key set of whoever issued it: a wrong one is refused as the RFCs say.

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

class Refused extends Error {
  constructor(code, description) {
    super(code);
    Object.assign(this, { error: code, error_description: description, statusCode: 400, status: 400, expose: true });
  }
}

// What a token says of whom it stands for.
export const standsFor = new WeakMap();

// trust: issuer -> jwks_uri. resourceServer: what the token is for.
export function registerGrants(provider, { jose, trust, resourceServer }) {
  const sets = new Map();

  // The claims of a token that somebody whom we trust issued for us.
  async function verified(text, code) {
    let claims;
    try {
      claims = jose.decodeJwt(text);
    } catch {
      throw new Refused(code, 'not a JWT');
    }
    const uri = trust.get(claims.iss);
    if (uri === undefined) throw new Refused(code, 'its issuer is not trusted');
    if (!sets.has(uri)) sets.set(uri, jose.createRemoteJWKSet(new URL(uri), { cooldownDuration: 0 }));
    try {
      const { payload } = await jose.jwtVerify(text, sets.get(uri), { issuer: claims.iss, audience: provider.issuer });
      return payload;
    } catch (error) {
      throw new Refused(code, `not verified: ${error.code}`);
    }
  }

  async function issue(ctx, whom) {
    const { client, params } = ctx.oidc;
    const resource = params.resource ?? params.audience ?? 'urn:bouncer:llm';
    const info = resourceServer(resource, client.clientId);
    const wanted = (params.scope ?? '').split(' ').filter((scope) => info.scope.split(' ').includes(scope));
    const scope = wanted.join(' ') || undefined;
    const token = new provider.ClientCredentials({ client, scope });
    standsFor.set(token, whom);
    token.resourceServer = new provider.ResourceServer(resource, info);
    ctx.oidc.entity('ClientCredentials', token);
    return {
      access_token: await token.save(), expires_in: token.expiration, token_type: token.tokenType, scope,
    };
  }

  provider.registerGrantType(EXCHANGE, async (ctx) => {
    const { subject_token: subject, subject_token_type: type, actor_token: actor, actor_token_type: actorType } = ctx.oidc.params;
    if (!subject || type !== JWT) throw new Refused('invalid_request', 'subject_token and its type');
    if ((actor === undefined) !== (actorType === undefined)) throw new Refused('invalid_request', 'actor_token_type');
    const { sub } = await verified(subject, 'invalid_request');
    const whom = { sub };
    if (actor !== undefined) whom.act = { sub: (await verified(actor, 'invalid_request')).sub };
    ctx.body = { ...(await issue(ctx, whom)), issued_token_type: ACCESS_TOKEN };
  }, [
    'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'audience',
    'resource', 'scope',
  ]);

  provider.registerGrantType(BEARER, async (ctx) => {
    const { assertion } = ctx.oidc.params;
    if (!assertion) throw new Refused('invalid_request', 'assertion');
    const { sub } = await verified(assertion, 'invalid_grant');
    ctx.body = await issue(ctx, { sub });
  }, ['assertion', 'audience', 'resource', 'scope']);
}
