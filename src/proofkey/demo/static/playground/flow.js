// The flow by hand, as an application without a library does it (RFC 7636, RFC 9207, OpenID Connect Core §3.1).
//
// @proofkey/spa does all of this and more. It is not used here, because here every value is to be seen.

import { send } from "./http.js";

export function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

export function fromBase64url(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

/** 256 random bits as 43 characters: a verifier, a state or a nonce. */
export const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

export const sha256 = async (text) => new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

/** BASE64URL(SHA256(ASCII(code_verifier))) (RFC 7636 §4.2). */
export const challengeFor = async (verifier) => base64url(await sha256(verifier));

export async function makeSecrets() {
  const verifier = random();
  return { verifier, challenge: await challengeFor(verifier), state: random(), nonce: random() };
}

/** The parameters of an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3). */
export function authorizationParameters(config, secrets) {
  return {
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: config.redirect_uri,
    scope: config.scope,
    state: secrets.state,
    nonce: secrets.nonce,
    code_challenge: secrets.challenge,
    code_challenge_method: "S256",
  };
}

/** Where the browser has to go; parameters changed to undefined are left out. */
export function authorizationUrl(metadata, parameters) {
  const url = new URL(metadata.authorization_endpoint);
  const sent = Object.entries(parameters).filter(([, value]) => value !== undefined);
  sent.forEach(([name, value]) => url.searchParams.set(name, value));
  return url.href;
}

/** The issuer's metadata (RFC 8414). */
export async function discover(issuer) {
  const { response } = await send({ method: "GET", url: `${issuer}/.well-known/openid-configuration` });
  if (response.status !== 200 || response.json?.issuer !== issuer) throw new Error("The metadata are not this issuer's.");
  return response.json;
}

/** What a token request says that redeems a code (RFC 6749 §4.1.3, RFC 7636 §4.5). */
export function redemption(config, code, verifier) {
  return {
    grant_type: "authorization_code",
    client_id: config.client_id,
    redirect_uri: config.redirect_uri,
    code,
    code_verifier: verifier,
  };
}

/** A request to the token endpoint; parameters changed to undefined are left out. */
export function tokenRequest(metadata, parameters) {
  const sent = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return {
    method: "POST",
    url: metadata.token_endpoint,
    headers: [["Content-Type", "application/x-www-form-urlencoded"]],
    body: new URLSearchParams(sent).toString(),
  };
}

/** A request that carries an access token (RFC 6750 §2.1). */
export const bearerRequest = (url, token) => ({ method: "GET", url, headers: [["Authorization", `Bearer ${token}`]] });
