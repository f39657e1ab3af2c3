// ID tokens: whose they are, for whom, of when, and whether the issuer signed them (OpenID Connect Core §3.1.3.7).
import type { Answer } from "./http.js";
import { ask } from "./http.js";
import { ProofkeyError } from "./errors.js";
import { fromBase64url } from "./pkce.js";

/** What an ID token or the userinfo endpoint says of a person. */
export interface Claims {
  sub: string;
  [name: string]: unknown;
}

/** A signature key as the issuer publishes it (RFC 7517). */
export type Key = JsonWebKey & { kid?: string };

/** What an ID token must say to be believed. */
export interface Expected {
  issuer: string;
  clientId: string;
  nonce?: string | undefined;
  maxAge?: number | undefined;
}

const LEEWAY = 60; // seconds a clock may be wrong

// Only asymmetric ones: a secret's HMAC proves nothing to whoever would have to know it, and "none" proves nothing.
const ALGORITHMS: Record<string, EcKeyImportParams & EcdsaParams & RsaPssParams> = Object.fromEntries(
  [
    ["ES256", "ECDSA", 256],
    ["ES384", "ECDSA", 384],
    ["RS256", "RSASSA-PKCS1-v1_5", 256],
    ["PS256", "RSA-PSS", 256],
    ["EdDSA", "Ed25519", 256],
  ].map(([alg, name, bits]) => [alg, { name, namedCurve: "P-" + bits, hash: "SHA-" + bits, saltLength: 32 }] as never),
);

const decode = (part = ""): any => JSON.parse(new TextDecoder().decode(fromBase64url(part)));

const refuse = (what: string): never => {
  throw new ProofkeyError("id_token_" + what);
};

/** The claims of an ID token that was believed before. */
export const decodeClaims = (idToken: string): Claims => decode(idToken.split(".")[1]);

/** The claims of an ID token for this client, of this issuer, in date; its signature is not looked at. */
export const readClaims = (idToken: string, expected: Expected, now = Date.now() / 1e3): Claims => {
  let claims: any;
  try {
    claims = decodeClaims(idToken);
  } catch {
    refuse("malformed");
  }
  const { iss, aud, azp = expected.clientId, exp, iat, nonce, auth_time, sub } = claims;
  if (iss !== expected.issuer) refuse("iss_differs");
  const [audience, another] = [aud].flat();
  if (audience !== expected.clientId || another !== undefined || azp !== expected.clientId) refuse("aud_differs");
  if (!(exp > now - LEEWAY && iat < now + LEEWAY)) refuse("out_of_date");
  if (expected.nonce !== undefined && nonce !== expected.nonce) refuse("nonce_differs");
  if (expected.maxAge !== undefined && !(auth_time >= now - expected.maxAge - LEEWAY)) refuse("auth_time_old");
  if (typeof sub !== "string") refuse("malformed");
  return claims;
};

// importKey refuses a key whose type, curve, `alg` or `use` is for something else: the key decides the algorithm,
// the token's header only names it.
const isSignedBy = async (key: Key, alg: string, idToken: string): Promise<boolean> => {
  const algorithm = ALGORITHMS[alg]!;
  const [header, claims, signature] = idToken.split(".");
  try {
    return await crypto.subtle.verify(
      algorithm,
      await crypto.subtle.importKey("jwk", key, algorithm, false, ["verify"]),
      fromBase64url(signature!),
      new TextEncoder().encode(header + "." + claims),
    );
  } catch {
    return false;
  }
};

/** The issuer's keys; *cache* "reload" asks the issuer itself. */
export const fetchKeys = async (uri: string, cache: RequestCache = "default"): Promise<Key[]> => {
  const { body }: Answer = await ask(uri, { cache });
  return Array.isArray(body?.keys) ? body.keys : [];
};

/**
 * Whether one of the issuer's keys signed *idToken*. A `kid` that nobody knows is asked for once (*fetchAgain*): keys rotate.
 */
export const isSigned = async (idToken: string, keys: Key[], fetchAgain: () => Promise<Key[]>): Promise<boolean> => {
  const { alg, kid } = decode(idToken.split(".")[0]);
  if (!Object.hasOwn(ALGORITHMS, alg)) return false;
  const named = (all: Key[]): Key[] => all.filter((key) => kid === undefined || key.kid === kid);
  let candidates = named(keys);
  if (!candidates.length) candidates = named(await fetchAgain());
  for (const key of candidates) if (await isSignedBy(key, alg, idToken)) return true;
  return false;
};

/** The claims of *idToken* once everything about it is right. */
export const verifyIdToken = async (
  idToken: unknown,
  expected: Expected,
  keys: Key[] | Promise<Key[]>,
  fetchAgain: () => Promise<Key[]>,
): Promise<Claims> => {
  if (typeof idToken !== "string") refuse("missing");
  const claims = readClaims(idToken as string, expected);
  if (!(await isSigned(idToken as string, await keys, fetchAgain))) refuse("signature_invalid");
  return claims;
};
