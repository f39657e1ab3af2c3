// The peer npm `oidc-provider`, in memory: ES256, code + PKCE, JWT access tokens, rotating refresh tokens.
//
// Usage: node oidc_provider.mjs PORT. Prints one JSON line once it listens, as `proofkey dev --json` does.
// Whoever asks is signed in as alice and has consented: what a person does is not measured.
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const port = process.argv[2];
const issuer = `http://127.0.0.1:${port}`;
const audience = 'https://api.example';
const redirectUri = 'http://127.0.0.1:9/callback';
const scope = 'openid profile email';
const apiScope = 'notes:read';
const claims = { sub: 'alice', name: 'Alice Example', email: 'alice@example.test', email_verified: true };

// The adapter the package brings walks over all members of a grant at every write, and forgets after 1,000 entries;
// this one does neither, to the peer's advantage.
const entries = new Map();
const members = new Map();

class InMemory {
  constructor(model) { this.model = model; }

  key(id) { return `${this.model}:${id}`; }

  async upsert(id, payload) {
    const key = this.key(id);
    entries.set(key, payload);
    if (payload.uid) entries.set(`uid:${payload.uid}`, key);
    if (payload.grantId) {
      const known = members.get(payload.grantId);
      if (known) known.add(key); else members.set(payload.grantId, new Set([key]));
    }
  }

  async find(id) { return entries.get(this.key(id)); }

  async findByUid(uid) { return entries.get(entries.get(`uid:${uid}`)); }

  async findByUserCode() { return undefined; }

  async consume(id) { entries.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { entries.delete(this.key(id)); }

  async revokeByGrantId(grantId) {
    for (const key of members.get(grantId) ?? []) entries.delete(key);
    members.delete(grantId);
  }
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const application = {
  application_type: 'web',
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  id_token_signed_response_alg: 'ES256',
};
const clients = [
  { ...application, client_id: 'spa', token_endpoint_auth_method: 'none' },
  { ...application, client_id: 'web', client_secret: 'bench-secret-of-thirty-two-chars', token_endpoint_auth_method: 'client_secret_basic' },
];

const provider = new Provider(issuer, {
  adapter: InMemory,
  clients,
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'bench' }] },
  cookies: { keys: ['bench-cookie-key'] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => claims }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 86400, IdToken: 300, Interaction: 600, RefreshToken: 86400, Session: 86400 },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: async () => true },
    resourceIndicators: {
      enabled: true,
      // A token with an audience is refused at this server's userinfo and unknown to its introspection:
      // `web` asks for no resource, gets an opaque token, and is measured there.
      defaultResource: async (_ctx, client) => (client.clientId === 'spa' ? audience : undefined),
      useGrantedResource: async () => true,
      getResourceServerInfo: async () => ({
        scope: apiScope, audience, accessTokenTTL: 300, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
  if (!session) return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'alice' } });
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(scope);
  grant.addResourceScope(audience, apiScope);
  return provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } });
});

const announced = Object.fromEntries(clients.map(({ client_id, client_secret }) => [
  client_id, { client_id, client_secret, redirect_uris: [redirectUri] },
]));
provider.listen(Number(port), '127.0.0.1', () => {
  console.log(JSON.stringify({
    issuer, clients: announced, user: { username: 'alice', password: '' }, resource: { scopes: { [apiScope]: 'Read notes' } },
  }));
});
