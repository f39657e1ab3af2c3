// oauth4webapi: the page does by hand what a library does; the shortest way that its examples show.
import * as oauth from "oauth4webapi";
import { config, finish } from "bench:page";

const client = { client_id: config.client_id };
const issuer = new URL(config.issuer);
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
if (location.search.includes("code=")) {
  const { verifier, state, nonce } = JSON.parse(sessionStorage.getItem("oauth4webapi"));
  const answer = oauth.validateAuthResponse(server, client, new URL(location.href), state);
  const response = await oauth.authorizationCodeGrantRequest(
    server, client, oauth.None(), answer, config.redirect_uri, verifier,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  finish(tokens.access_token);
} else {
  const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];
  sessionStorage.setItem("oauth4webapi", JSON.stringify({ verifier, state, nonce }));
  const url = new URL(server.authorization_endpoint);
  const parameters = {
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: config.redirect_uri,
    scope: config.scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  location.assign(url);
}
