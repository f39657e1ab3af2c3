// The foreign provider npm `oidc-provider`, as oidc_provider.py starts it for tests; what it offers is told there.
//
// Usage: node oidc_provider.mjs OPTIONS, a JSON object. Prints one JSON line once it listens; ends with its stdin.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider, interactionPolicy } from 'oidc-provider';
import { allowTokenExchange } from './oidc_provider_exchange.mjs';
import { confirmPages, renderConsent, renderLogin } from './oidc_provider_pages.mjs';

const options = { accessTokenTTL: 300, idTokenTTL: 300, refreshTokenTTL: 86400, clients: [], ...JSON.parse(process.argv[2] ?? '{}') };
const PASSWORD = 'urn:example:password';
const TWO_FACTORS = 'urn:example:two-factors';
const server = createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const claimsOf = (id) => ({
  sub: id,
  name: `${id[0].toUpperCase()}${id.slice(1)} Example`,
  preferred_username: id,
  email: `${id}@example.test`,
  email_verified: true,
});

function signingKey(kind, options, alg) {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `foreign-${alg}` };
}

// A resource's tokens are what its address says: …opaque…, …rs256…, else an ES256 JWT.
const resourceServer = (resource) => ({
  scope: 'notes:read notes:write',
  audience: resource,
  accessTokenTTL: options.accessTokenTTL,
  accessTokenFormat: resource.includes('opaque') ? 'opaque' : 'jwt',
  jwt: { sign: { alg: resource.includes('rs256') ? 'RS256' : 'ES256' } },
});

// acr_values is answered (RFC 9470): a session of another acr signs in again.
const policy = interactionPolicy.base();
policy.get('login').checks.add(new interactionPolicy.Check('acr_values', 'another acr is asked for', 'login_required', ({ oidc }) => {
  const asked = oidc.params.acr_values?.split(' ');
  return Boolean(asked && !asked.includes(oidc.acr) && !oidc.result?.login);
}));

const redirecting = {
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};
const web = {
  ...redirecting,
  redirect_uris: ['http://127.0.0.1:9/callback'],
  post_logout_redirect_uris: ['http://127.0.0.1:9/'],
};
const publicly = { token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'ES256' };
const secret = { client_secret: 'a-secret-of-thirty-two-characters' };
const clients = [
  { ...web, ...publicly, client_id: 'spa' },
  { ...web, ...secret, client_id: 'web' },
  { ...web, ...secret, client_id: 'web-post', token_endpoint_auth_method: 'client_secret_post' },
  {
    ...redirecting,
    ...publicly,
    client_id: 'native',
    application_type: 'native',
    redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
    grant_types: [...redirecting.grant_types, 'urn:ietf:params:oauth:grant-type:device_code'],
  },
  { client_id: 'api', ...secret, redirect_uris: [], response_types: [], grant_types: [] },
  ...options.clients,
];

const provider = new Provider(issuer, {
  clients,
  jwks: { keys: [signingKey('rsa', { modulusLength: 2048 }, 'RS256'), signingKey('ec', { namedCurve: 'P-256' }, 'ES256')] },
  cookies: { keys: ['of-this-test-run'] },
  acrValues: [PASSWORD, TWO_FACTORS],
  claims: {
    acr: null, auth_time: null, iss: null, sid: null,
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
  },
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  conformIdTokenClaims: false,
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => claimsOf(id) }),
  interactions: { policy, url: (_ctx, { uid }) => `/interaction/${uid}` },
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  extraClientMetadata: { properties: ['dpop_nonce_required'] },
  clientBasedCORS: (_ctx, origin, client) => client.redirectUris.some((uri) => new URL(uri).origin === origin),
  extraTokenClaims: async ({ oidc }) => {
    const source = oidc.entities.AuthorizationCode ?? oidc.entities.RefreshToken ?? oidc.entities.DeviceCode;
    return source && { auth_time: source.authTime, acr: source.acr ?? PASSWORD };
  },
  renderError: async (ctx, { error, error_description: told }) => { ctx.type = 'text'; ctx.body = `${error}: ${told}`; },
  // Back-channel logout to this machine: without the dispatcher that refuses addresses like these.
  fetch: (url, { dispatcher: _refusing, ...options }) => globalThis.fetch(url, options),
  ttl: { AccessToken: options.accessTokenTTL, IdToken: options.idTokenTTL, RefreshToken: options.refreshTokenTTL, DeviceCode: 600 },
  features: {
    ...confirmPages,
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: {
      enabled: true,
      nonceSecret: randomBytes(32),
      requireNonce: ({ oidc }) => Boolean(oidc.client?.dpop_nonce_required),
    },
    introspection: { enabled: true, allowedPolicy: async () => true },
    jwtUserinfo: { enabled: true },
    registration: { enabled: true },
    registrationManagement: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: async () => true,
      getResourceServerInfo: async (_ctx, resource) => resourceServer(resource),
    },
  },
});

allowTokenExchange(provider, resourceServer);

async function finishLogin(ctx, params, form) {
  const acr = params.acr_values?.split(' ').find((each) => [PASSWORD, TWO_FACTORS].includes(each)) ?? PASSWORD;
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: form.get('login'), acr } });
}

async function finishConsent(ctx, { prompt: { details }, grantId, session, params }) {
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope((details.missingOIDCScope ?? []).join(' '));
  grant.addOIDCClaims(details.missingOIDCClaims ?? []);
  for (const [resource, scopes] of Object.entries(details.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  await provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } });
}

async function readForm(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const asked = await provider.interactionDetails(ctx.req, ctx.res);
  const render = asked.prompt.name === 'login' ? renderLogin : renderConsent;
  if (ctx.method === 'GET') {
    ctx.type = 'html';
    ctx.body = render(asked);
    return undefined;
  }
  const form = await readForm(ctx.req);
  if (form.get('decision') === 'deny') {
    return provider.interactionFinished(ctx.req, ctx.res, { error: 'access_denied', error_description: 'denied' });
  }
  return asked.prompt.name === 'login' ? finishLogin(ctx, asked.params, form) : finishConsent(ctx, asked);
});

provider.on('server_error', (_ctx, error) => console.error(error));
provider.on('backchannel.error', (_ctx, error) => console.error(error));
server.on('request', provider.callback());
process.stdin.on('end', () => process.exit(0)).resume();
const announced = Object.fromEntries(clients.map((client) => [client.client_id, client]));
console.log(JSON.stringify({ issuer, clients: announced }));
