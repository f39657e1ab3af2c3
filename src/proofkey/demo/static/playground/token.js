// Tokens opened up: header and claims with their meaning, and the signature checked here, with WebCrypto.

import { make, paragraph, words } from "./element.js";
import { base64url, fromBase64url, sha256 } from "./flow.js";
import { send } from "./http.js";
import { CLAIMS } from "./notes.js";
import { colour } from "./values.js";

const ALGORITHMS = {
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
};
const MOMENTS = ["exp", "iat", "nbf", "auth_time"];

/** Header and claims, unverified; null for a token that is no JWT. */
export function decode(token) {
  const parts = token.split(".");
  if (parts.length !== 3) return null;
  const read = (part) => JSON.parse(new TextDecoder().decode(fromBase64url(part)));
  return { header: read(parts[0]), claims: read(parts[1]), signature: parts[2] };
}

/** Whether the issuer's published key signed it: `{verified, alg, kid, jwk}` (RFC 7515 §5.2). */
export async function verify(metadata, token) {
  const { header } = decode(token);
  const { response } = await send({ method: "GET", url: metadata.jwks_uri });
  const jwk = response.json?.keys?.find((key) => key.kid === header.kid && (key.alg ?? header.alg) === header.alg);
  if (!jwk || !Object.hasOwn(ALGORITHMS, header.alg)) return { verified: false, alg: header.alg, kid: header.kid };
  const key = await crypto.subtle.importKey("jwk", jwk, ALGORITHMS[header.alg], false, ["verify"]);
  const [signed, signature] = [token.slice(0, token.lastIndexOf(".")), token.slice(token.lastIndexOf(".") + 1)];
  const bytes = new TextEncoder().encode(signed);
  const verified = await crypto.subtle.verify(ALGORITHMS[header.alg], key, fromBase64url(signature), bytes);
  return { verified, alg: header.alg, kid: header.kid };
}

/** What an application checks of an ID token, one by one (OpenID Connect Core §3.1.3.7). */
export async function idTokenChecks(config, metadata, walk) {
  const { claims } = decode(walk.tokens.id_token);
  const now = Date.now() / 1000;
  const half = (await sha256(walk.tokens.access_token)).slice(0, 16);
  const signature = await verify(metadata, walk.tokens.id_token);
  return [
    [signature.verified, `The signature verifies: ${signature.alg}, by the key \`${signature.kid}\` that the issuer publishes`],
    [claims.iss === metadata.issuer, "`iss` is the issuer this page went to"],
    [[claims.aud].flat().join() === config.client_id, "`aud` is this application"],
    [claims.nonce === walk.secrets.nonce, "`nonce` is the one of step 2"],
    [claims.exp > now - 60 && claims.iat < now + 60, "`iat` and `exp` fit the clock, give or take a minute"],
    [claims.at_hash === undefined || claims.at_hash === base64url(half), "`at_hash` fits the access token beside it"],
  ];
}

/** Findings as a list: what holds, and what does not. */
export function showChecks(checks) {
  const items = checks.map(([holds, text]) =>
    make("li", { class: holds ? "holds" : "fails" }, make("span", { class: "unseen", text: holds ? "Holds: " : "Fails: " }), words(text)),
  );
  return make("ul", { class: "checks" }, items);
}

function meaning(name, value) {
  const told = CLAIMS[name] ?? "";
  return MOMENTS.includes(name) ? `${told} ${new Date(value * 1000).toLocaleTimeString("en-GB")} on this clock.` : told;
}

const ABOUT_THE_PERSON = ["name", "family_name", "given_name", "nickname", "preferred_username", "zoneinfo", "locale", "email", "email_verified"];

/** What the protocol needs first, then what the person is told by. */
function inOrder(members) {
  const isPersonal = ([name]) => ABOUT_THE_PERSON.includes(name);
  const entries = Object.entries(members);
  return [...entries.filter((entry) => !isPersonal(entry)), ...entries.filter(isPersonal)];
}

function table(title, members, values) {
  const rows = inOrder(members).map(([name, value]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, make("code", { text: name })),
      make("td", { class: "claim" }, make("code", { translate: "no" }, colour(typeof value === "string" ? value : JSON.stringify(value), values))),
      make("td", { class: "meaning" }, words(meaning(name, value))),
    ),
  );
  const head = ["Name", "Value", "Meaning"].map((text) => make("th", { scope: "col", text }));
  return make("table", { class: "claims" }, make("caption", { text: title }), make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows));
}

/** A token, opened. *told* is a sentence about it. */
export function showToken(title, token, told, values, open = true) {
  const decoded = decode(token);
  const body = decoded
    ? [table("Header", decoded.header, values), table("Claims", decoded.claims, values)]
    : [make("p", {}, make("code", { class: "wire", translate: "no" }, colour(token, values)))];
  return make("details", { class: "token", open }, make("summary", { text: title }), paragraph(told, "fine"), body);
}
