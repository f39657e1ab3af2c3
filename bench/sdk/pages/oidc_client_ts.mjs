// oidc-client-ts: discovery, then the code for tokens; it checks no signature.
import { UserManager } from "oidc-client-ts";
import { config, finish } from "bench:page";

const manager = new UserManager({
  authority: config.issuer,
  client_id: config.client_id,
  redirect_uri: config.redirect_uri,
  scope: config.scope,
});
if (location.search.includes("code=")) finish((await manager.signinRedirectCallback()).access_token);
else await manager.signinRedirect();
