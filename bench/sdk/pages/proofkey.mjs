// @proofkey/spa: discovery, tokens, and the ID token's signature checked against the issuer's keys.
import { createClient } from "@proofkey/spa";
import { config, finish } from "bench:page";

const client = createClient({
  issuer: config.issuer,
  clientId: config.client_id,
  redirectUri: config.redirect_uri,
  scope: config.scope,
});
if (location.search.includes("code=")) {
  const back = client.handleCallback(); // resolves once the session is kept, too; the token is there before
  finish(await client.getToken());
  await back;
} else {
  await client.login();
}
