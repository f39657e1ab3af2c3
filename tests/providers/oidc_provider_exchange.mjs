// Token exchange (RFC 8693) for npm `oidc-provider`, which has none: an opaque access token of the provider's, given to this
// very client, for an access token of one other API. It stands on what the provider documents for grants of one's own.
import { errors } from 'oidc-provider';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const PARAMETERS = ['subject_token', 'subject_token_type', 'requested_token_type', 'resource', 'audience', 'scope'];

// The one API that is asked for, by address or by name (§2.1).
function targetOf({ resource, audience }) {
  const targets = [resource, audience].flat().filter(Boolean);
  if (targets.length !== 1) throw new errors.InvalidTarget('name one resource or audience');
  return targets[0];
}

// Subject tokens that do not hold are an invalid_request (§2.2.2).
async function findSubject(provider, client, { subject_token: value, subject_token_type: type }) {
  const subject = type === ACCESS_TOKEN && value ? await provider.AccessToken.find(value) : undefined;
  if (!subject?.isValid || subject.clientId !== client.clientId) {
    throw new errors.InvalidRequest('subject_token is no access token of this client');
  }
  return subject;
}

export function allowTokenExchange(provider, resourceServer) {
  const exchange = async (ctx) => {
    const { client, params } = ctx.oidc;
    if ((params.requested_token_type ?? ACCESS_TOKEN) !== ACCESS_TOKEN) {
      throw new errors.InvalidRequest('requested_token_type is not supported');
    }
    const { accountId, grantId, sessionUid, expiresWithSession } = await findSubject(provider, client, params);
    const target = targetOf(params);
    const server = new provider.ResourceServer(target, resourceServer(target));
    const asked = params.scope?.split(' ') ?? [...server.scopes];
    if (!asked.every((scope) => server.scopes.has(scope))) throw new errors.InvalidScope('no scope of that API', params.scope);
    const scope = asked.join(' ');
    const given = new provider.AccessToken({ client, accountId, grantId, sessionUid, expiresWithSession, scope, gty: 'token_exchange' });
    given.resourceServer = server;
    ctx.oidc.entity('AccessToken', given);
    ctx.body = {
      access_token: await given.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: given.tokenType,
      expires_in: given.expiration,
      scope,
    };
  };
  provider.registerGrantType(GRANT, exchange, PARAMETERS, ['resource', 'audience']);
}
