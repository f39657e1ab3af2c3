// @auth0/auth0-spa-js: the issuer's address is its "domain"; it asks for no metadata and no keys.
import { Auth0Client } from "@auth0/auth0-spa-js";
import { config, finish } from "bench:page";

const client = new Auth0Client({
  domain: config.issuer.slice("https://".length),
  issuer: config.issuer,
  clientId: config.client_id,
  authorizationParams: { redirect_uri: config.redirect_uri, scope: config.scope },
});
if (location.search.includes("code=")) {
  await client.handleRedirectCallback();
  finish(await client.getTokenSilently());
} else {
  await client.loginWithRedirect();
}
