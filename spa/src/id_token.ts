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

const decode = (bytes: BufferSource | undefined): any => ({ ...JSON.parse(new TextDecoder().decode(bytes)) });

/** Header, claims and signature of an ID token (RFC 7515 §3.1). */
const open = (idToken: string | undefined): [header: any, claims: any, signature: BufferSource] => {
  try {
    const [header, payload, signature] = idToken!.split(".").map(fromBase64url);
    return [decode(header), decode(payload), signature!.buffer];
  } catch {
    throw new ProofkeyError("id_token_" + (idToken ? "malformed" : "missing"));
  }
};

/** The claims of an ID token for this client, of this issuer, in date; its signature is not looked at. */
export const readClaims = (idToken: string | undefined, expected: Expected, now = Date.now() / 1e3): Claims => {
  const { issuer, clientId, nonce, maxAge } = expected;
  const [, claims] = open(idToken);
  const audiences = [claims.aud].flat();
  const wrong =
    claims.iss !== issuer
      ? "iss_differs"
      : !audiences.includes(clientId) || (claims.azp ?? (audiences.length > 1 || clientId)) !== clientId
        ? "aud_differs"
        : !(claims.exp > now - LEEWAY && claims.iat < now + LEEWAY)
          ? "out_of_date"
          : nonce && claims.nonce !== nonce
            ? "nonce_differs"
            : maxAge != null && !(claims.auth_time >= now - (maxAge as number) - LEEWAY)
              ? "auth_time_old"
              : !claims.sub && "sub_missing";
  if (wrong) throw new ProofkeyError("id_token_" + wrong);
  return claims;
};

/** A key ready to verify with, made ready while the token is on its way; and the algorithm it is for. */
export interface VerifyingKey extends EcKeyImportParams, EcdsaParams {
  kid: string | undefined;
  /** ES256, ES384, RS256, RS384 or RS512: what the key says it is for, else what its type is for. */
  alg: string;
  key: CryptoKey | 0;
}

/**
 * *keys* ready to verify with. The key decides the algorithm; a token's header can only agree ("none" and a secret's HMAC
 * never do). What is for something else stays without a key: importing refuses another type, curve, `alg` or `use`.
 */
export const importKeys = (keys: Key[]): Promise<VerifyingKey[]> =>
  Promise.all(
    keys.map(async (jwk) => {
      const { kid, crv, alg = crv ? "ES" + crv.slice(2) : "RS256" } = jwk;
      const bits = alg.slice(2);
      const algorithm = { name: crv ? "ECDSA" : "RSASSA-PKCS1-v1_5", namedCurve: "P-" + bits, hash: "SHA-" + bits };
      const importing = crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
      return { kid, alg, ...algorithm, key: await importing.catch(() => 0) };
    }),
  );

/**
 * The claims of *idToken* once everything about it is right. Where no key that is here verifies it, keys are asked for once
 * more (*findKeys* with true): they rotate.
 */
export const verifyIdToken = async (
  idToken: string | undefined,
  expected: Expected,
  findKeys: (again: boolean) => Promise<VerifyingKey[]>,
): Promise<Claims> => {
  const claims = readClaims(idToken, expected);
  const [{ alg, kid, crit }, , signature] = open(idToken);
  const signed = new TextEncoder().encode(idToken!.replace(/\.[^.]*$/, ""));
  for (const again of [false, true]) {
    for (const one of await findKeys(again)) {
      const isMeant = one.alg === alg && crit === undefined && (!kid || one.kid === kid);
      if (isMeant && one.key && (await crypto.subtle.verify(one, one.key, signature, signed))) return claims;
    }
  }
  throw new ProofkeyError("id_token_signature_invalid");
};
