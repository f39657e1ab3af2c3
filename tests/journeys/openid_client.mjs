// npm's openid-client, unmodified, through a whole sign-in. One JSON object per line: the first one in says who it is,
// the first one out where the browser must go, the second one in where it came back to, and what follows is what it got.

import { createInterface } from "node:readline";
import * as client from "openid-client";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const hear = async () => JSON.parse((await lines.next()).value);
const say = (step, said) => console.log(JSON.stringify({ step, ...said }));

const { issuer, client_id, client_secret, authentication, redirect_uri, post_logout_redirect_uri, scope } = await hear();
const { None, ClientSecretBasic, ClientSecretPost } = client;
const proof = { none: None, basic: ClientSecretBasic, post: ClientSecretPost }[authentication](client_secret);
const execute = issuer.startsWith("http://") ? [client.allowInsecureRequests] : [];
execute.push(client.enableNonRepudiationChecks); // ID tokens are verified against the key set, too
const config = await client.discovery(new URL(issuer), client_id, undefined, proof, { execute });

const pkceCodeVerifier = client.randomPKCECodeVerifier();
const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
const url = client.buildAuthorizationUrl(config, {
  redirect_uri,
  scope,
  state: expectedState,
  nonce: expectedNonce,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
});
say("authorize", { url: url.href });

const { callback } = await hear();
const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
const tokens = await client.authorizationCodeGrant(config, new URL(callback), checks);
const claims = tokens.claims();
say("tokens", { tokens, claims });

const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
say("refreshed", { tokens: refreshed });

say("userinfo", { claims: await client.fetchUserInfo(config, refreshed.access_token, claims.sub) });

const introspect = async (token) => (client_secret ? await client.tokenIntrospection(config, token) : null);
say("introspected", { answer: await introspect(refreshed.access_token) });
await client.tokenRevocation(config, refreshed.refresh_token);
say("revoked", { answer: await introspect(refreshed.access_token) });

const refusal = async (attempt) => {
  try {
    await attempt();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status ?? null, error: error.error ?? null, challenge: error.cause?.[0]?.parameters ?? null };
  }
};
say("refused", {
  refresh: await refusal(() => client.refreshTokenGrant(config, refreshed.refresh_token)),
  userinfo: await refusal(() => client.fetchUserInfo(config, refreshed.access_token, claims.sub)),
});

const { id_token } = tokens;
say("sign out", { url: client.buildEndSessionUrl(config, { id_token_hint: id_token, post_logout_redirect_uri }).href });
lines.return?.();
process.stdin.destroy();
