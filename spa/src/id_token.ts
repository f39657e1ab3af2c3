// ID tokens: whose they are, for whom, of when, and whether the issuer signed them (OpenID Connect Core §3.1.3.7).
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
  maxAge?: number | string | undefined;
}

const LEEWAY = 60; // seconds a clock may be wrong

const NAMES: Record<string, string> = { ES: "ECDSA", RS: "RSASSA-PKCS1-v1_5" };

const decode = (part: string | undefined): any => JSON.parse(new TextDecoder().decode(fromBase64url(part!)));

/** The claims of an ID token that was believed before. */
export const decodeClaims = (idToken: string): Claims => decode(idToken.split(".")[1]);

/** The claims of an ID token for this client, of this issuer, in date; its signature is not looked at. */
export const readClaims = (idToken: string, expected: Expected, now = Date.now() / 1e3): Claims => {
  const { issuer, clientId, nonce, maxAge } = expected;
  const claims: any = decodeClaims(idToken);
  const [audience, another] = [claims.aud].flat();
  const wrong =
    claims.iss !== issuer
      ? "iss_differs"
      : audience !== clientId || another || (claims.azp ?? clientId) !== clientId
        ? "aud_differs"
        : !(claims.exp > now - LEEWAY && claims.iat < now + LEEWAY)
          ? "out_of_date"
          : nonce && claims.nonce !== nonce
            ? "nonce_differs"
            : maxAge != null && !(claims.auth_time >= now - +maxAge - LEEWAY)
              ? "auth_time_old"
              : !claims.sub && "sub_missing";
  if (wrong) throw new ProofkeyError("id_token_" + wrong);
  return claims;
};

/**
 * The claims of *idToken* once everything about it is right. Where no key that is here verifies it, keys are asked for once
 * more (*findKeys* with true): they rotate.
 */
export const verifyIdToken = async (
  idToken: string | undefined,
  expected: Expected,
  findKeys: (again: boolean) => Promise<Key[]>,
): Promise<Claims> => {
  if (!idToken) throw new ProofkeyError("id_token_missing");
  const claims = readClaims(idToken, expected);
  const [header, payload, signature] = idToken.split(".");
  const { alg, kid } = decode(header);
  // ES256, ES384, RS256, RS384, RS512. Anything else ("none" and a secret's HMAC before all) fits no key that is published.
  const bits = alg.slice(2);
  const algorithm = { name: NAMES[alg.slice(0, 2)]!, namedCurve: "P-" + bits, hash: "SHA-" + bits };
  const signed = new TextEncoder().encode(header + "." + payload);
  for (const again of [false, true]) {
    for (const key of await findKeys(again)) {
      try {
        // importKey refuses a key whose type, curve, `alg` or `use` is for something else: the key decides the
        // algorithm, the token's header only names it.
        const verifying = await crypto.subtle.importKey("jwk", key, algorithm, false, ["verify"]);
        const isNamed = !kid || key.kid === kid;
        if (isNamed && (await crypto.subtle.verify(algorithm, verifying, fromBase64url(signature!), signed))) return claims;
      } catch {
        // A key for something else: perhaps the next one.
      }
    }
  }
  throw new ProofkeyError("id_token_signature_invalid");
};
