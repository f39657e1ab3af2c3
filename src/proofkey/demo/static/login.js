// The Authorization Code flow with PKCE for a page without a secret (RFC 7636, RFC 9207, OpenID Connect Core §3.1).
//
// 1. One record per `state`, in this tab's storage, taken out before anything is awaited: an answer counts once.
// 2. Nothing an answer says is believed before its `state` and `iss` are.
// 3. Tokens stay in memory; a reload forgets them, and the issuer's session brings new ones.

const KEPT_AS = "proofkey-login:";
const KEPT_FOR = 60 * 60 * 1000;
const LEEWAY = 60;
const ALGORITHMS = {
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
};

/** A sign-in or a call that ended in a refusal: `code` is the protocol's word, `message` is for the person. */
export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function fromBase64url(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

/** 256 random bits as 43 characters: a verifier, a state or a nonce. */
const secret = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** BASE64URL(SHA256(ASCII(code_verifier))) (RFC 7636 §4.2). */
export async function challengeFor(verifier) {
  return base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
}

/** The header and the claims of a JWT, unverified. */
export function decodeToken(token) {
  const [header, claims] = token.split(".", 2);
  const read = (part) => JSON.parse(new TextDecoder().decode(fromBase64url(part)));
  return { header: read(header), claims: read(claims) };
}

async function fetchJson(url, options = {}) {
  let response;
  try {
    response = await fetch(url, {
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(15_000),
      ...options,
    });
  } catch {
    throw new Refused("unreachable", `${new URL(url).origin} does not answer.`);
  }
  const body = await response.json().catch(() => null);
  return { response, body };
}

/** The issuer's metadata; they must name the issuer to the byte (RFC 8414 §3.3). */
export async function discover(issuer) {
  const { response, body } = await fetchJson(`${issuer}/.well-known/openid-configuration`);
  if (!response.ok || body?.issuer !== issuer) {
    throw new Refused("issuer_mismatch", "The metadata are not this issuer's.");
  }
  if (!body.code_challenge_methods_supported?.includes("S256")) {
    throw new Refused("no_pkce", "This issuer does not announce PKCE with S256.");
  }
  return body;
}

/** Write down a new sign-in and say where the browser has to go. */
export async function beginLogin(config, metadata) {
  forgetOld();
  const verifier = secret();
  const record = {
    issuer: metadata.issuer,
    issRequired: metadata.authorization_response_iss_parameter_supported === true,
    state: secret(),
    nonce: secret(),
    verifier,
    challenge: await challengeFor(verifier),
    begunAt: Date.now(),
  };
  const url = new URL(metadata.authorization_endpoint);
  const parameters = {
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: config.redirect_uri,
    scope: config.scope,
    state: record.state,
    nonce: record.nonce,
    code_challenge: record.challenge,
    code_challenge_method: "S256",
  };
  Object.entries(parameters).forEach(([name, value]) => url.searchParams.set(name, value));
  record.url = url.href;
  sessionStorage.setItem(KEPT_AS + record.state, JSON.stringify(record));
  return record;
}

function forgetOld() {
  for (const key of Object.keys(sessionStorage).filter((name) => name.startsWith(KEPT_AS))) {
    const begunAt = JSON.parse(sessionStorage.getItem(key)).begunAt;
    if (!(Date.now() - begunAt < KEPT_FOR)) sessionStorage.removeItem(key);
  }
}

/** Take the sign-in that `state` names out of the storage; a second time there is nothing to take. */
function takeRecord(state) {
  const kept = sessionStorage.getItem(KEPT_AS + state);
  sessionStorage.removeItem(KEPT_AS + state);
  return kept === null ? null : JSON.parse(kept);
}

/**
 * What the issuer sent back with the browser: null where the address holds no answer, else the code and its record.
 * Runs without awaiting anything. Throws `Refused`, with the record as `record` where there is one, and as `answer` what
 * the issuer itself refused with.
 */
export function takeCallback(search) {
  const answer = new URLSearchParams(search);
  if (!["code", "error", "state"].some((name) => answer.has(name))) return null;
  const record = takeRecord(answer.get("state") ?? "");
  if (record === null) {
    throw new Refused("unknown_state", "This answer belongs to no sign-in begun in this tab, or was used already. Nothing happened.");
  }
  const refuse = (code, message) => Object.assign(new Refused(code, message), { record });
  if ([...answer.keys()].some((name) => answer.getAll(name).length > 1)) {
    throw refuse("invalid_response", "The answer says something twice.");
  }
  const iss = answer.get("iss");
  if (iss === null ? record.issRequired : iss !== record.issuer) {
    throw refuse("issuer_mismatch", "The answer comes from another issuer than the one you were sent to.");
  }
  if (answer.has("error")) {
    const refusal = refuse(answer.get("error"), answer.get("error_description") ?? "The issuer refused.");
    throw Object.assign(refusal, { answer: Object.fromEntries(answer) });
  }
  if (!answer.get("code")) throw refuse("invalid_response", "The answer holds no code.");
  return { code: answer.get("code"), record };
}

async function requestTokens(metadata, parameters) {
  const { response, body } = await fetchJson(metadata.token_endpoint, {
    method: "POST",
    body: new URLSearchParams(parameters),
  });
  if (!response.ok) {
    throw new Refused(body?.error ?? `http_${response.status}`, body?.error_description ?? "The issuer refused.");
  }
  if (typeof body?.access_token !== "string" || body.token_type?.toLowerCase() !== "bearer") {
    throw new Refused("invalid_response", "The issuer's answer holds no bearer token.");
  }
  return body;
}

/** Trade the code and the verifier for tokens, and check the ID token. */
export async function redeem(config, metadata, { code, record }) {
  const tokens = await requestTokens(metadata, {
    grant_type: "authorization_code",
    client_id: config.client_id,
    redirect_uri: config.redirect_uri,
    code,
    code_verifier: record.verifier,
  });
  const person = await checkIdToken(config, metadata, tokens.id_token);
  if (person.nonce !== record.nonce) throw new Refused("nonce_mismatch", "The ID token was made for another sign-in.");
  return { ...tokens, person };
}

/** New tokens for the refresh token; the old refresh token is spent by this. */
export async function refresh(config, metadata, session) {
  const tokens = await requestTokens(metadata, {
    grant_type: "refresh_token",
    client_id: config.client_id,
    refresh_token: session.refresh_token,
  });
  const person = tokens.id_token ? await checkIdToken(config, metadata, tokens.id_token) : session.person;
  if (person.sub !== session.person.sub) throw new Refused("subject_mismatch", "The new ID token is about another person.");
  return { ...session, ...tokens, person };
}

/** OpenID Connect Core §3.1.3.7: signature, issuer, audience and time; the nonce is compared by whoever knows it. */
async function checkIdToken(config, metadata, idToken) {
  if (typeof idToken !== "string") throw new Refused("invalid_response", "The issuer's answer holds no ID token.");
  const { header, claims } = decodeToken(idToken);
  const now = Date.now() / 1000;
  const audience = [claims.aud].flat();
  if (claims.iss !== metadata.issuer) throw new Refused("issuer_mismatch", "The ID token is of another issuer.");
  if (audience.length !== 1 || audience[0] !== config.client_id) {
    throw new Refused("audience_mismatch", "The ID token is for another application.");
  }
  if (!(claims.exp > now - LEEWAY && claims.iat < now + LEEWAY)) {
    throw new Refused("id_token_expired", "The ID token is out of date: compare the clocks.");
  }
  if (!(await isSigned(metadata, header, idToken))) {
    throw new Refused("signature_mismatch", "The ID token is not signed by the issuer.");
  }
  return claims;
}

async function isSigned(metadata, { alg, kid }, token) {
  const { body } = await fetchJson(metadata.jwks_uri);
  const jwk = body?.keys?.find((key) => key.kid === kid && (key.use ?? "sig") === "sig" && (key.alg ?? alg) === alg);
  if (!jwk || !Object.hasOwn(ALGORITHMS, alg)) return false;
  const key = await crypto.subtle.importKey("jwk", jwk, ALGORITHMS[alg], false, ["verify"]);
  const [header, claims, signature] = token.split(".");
  const signed = new TextEncoder().encode(`${header}.${claims}`);
  return crypto.subtle.verify(ALGORITHMS[alg], key, fromBase64url(signature), signed);
}

/** Where to go to end the session at the issuer, too (OpenID Connect RP-Initiated Logout §2). */
export function logoutAddress(config, metadata, idToken) {
  const url = new URL(metadata.end_session_endpoint);
  url.searchParams.set("id_token_hint", idToken);
  url.searchParams.set("post_logout_redirect_uri", config.post_logout_redirect_uri);
  return url.href;
}

/** One call of the API with the access token; a refusal carries the challenge's words. */
export async function callApi(url, session, note) {
  const headers = { authorization: `Bearer ${session.access_token}` };
  const options =
    note === undefined
      ? { headers }
      : { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify({ text: note }) };
  const { response, body } = await fetchJson(url, options);
  if (!response.ok) {
    throw new Refused(body?.error ?? `http_${response.status}`, body?.error_description ?? "The API refused.");
  }
  return { status: response.status, body };
}
