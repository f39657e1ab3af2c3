// Proof of possession (RFC 9449): tokens that are worth nothing without a key that never leaves this browser.
//
// 1. The key is made by the browser, cannot be read by any script, and lies in IndexedDB: all tabs use the same one.
// 2. Every request has a proof of its own; a server's nonce is remembered per origin and answered once per request.
import type { Answer } from "./http.js";
import type { Prover } from "./options.js";
import { base64url } from "./pkce.js";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const STORE = "keys";

interface ProvingKey {
  privateKey: CryptoKey;
  /** The public part, members in RFC 7638's order. */
  jwk: { crv?: string; kty?: string; x?: string; y?: string };
}

const encode = (part: unknown): string => base64url(new TextEncoder().encode(JSON.stringify(part)).buffer);

const promised = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** The key called *name*: found, or made and kept. Of two tabs that make one at once, the first to write wins. */
const findKey = async (name: string): Promise<ProvingKey> => {
  const opening = indexedDB.open("proofkey-dpop");
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await promised(opening);
  const reach = (): IDBObjectStore => database.transaction(STORE, "readwrite").objectStore(STORE);
  const found: ProvingKey | undefined = await promised(reach().get(name));
  if (found) return found;
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ALGORITHM, false, ["sign"]);
  const { crv = "", kty = "", x = "", y = "" } = await crypto.subtle.exportKey("jwk", publicKey);
  const made: ProvingKey = { privateKey, jwk: { crv, kty, x, y } };
  const store = reach();
  const faster: ProvingKey | undefined = await promised(store.get(name));
  if (!faster) await promised(store.put(made, name));
  return faster ?? made;
};

/** The nonce a server wants to see, and whether it refused for the lack of it: in an `Answer` or in a `Response`. */
const readDemand = (said: unknown): { nonce: string | null | undefined; isRefused: boolean } => {
  if (said instanceof Response) {
    const challenge = said.headers.get("www-authenticate") ?? "";
    return { nonce: said.headers.get("dpop-nonce"), isRefused: said.status === 401 && /use_dpop_nonce/.test(challenge) };
  }
  const { nonce, body } = (said ?? {}) as Partial<Answer>;
  return { nonce, isRefused: body?.error === "use_dpop_nonce" };
};

/**
 * DPoP for `createClient({dpop})`: a P-256 key per *name*, proofs at the token endpoint and at APIs, nonces of both.
 *
 * @example
 * ```ts
 * const possessing = createClient({ ...client.options, dpop: dpop() });
 * ```
 */
export const dpop = (name = "default"): Prover => {
  const nonces = new Map<string, string>();
  let key: Promise<ProvingKey> | undefined;

  const prove = async (method: string, url: string, token?: string): Promise<string> => {
    const { privateKey, jwk } = await (key ??= findKey(name));
    const { origin, pathname } = new URL(url);
    const claims = {
      jti: crypto.randomUUID(),
      htm: method,
      htu: origin + pathname, // without query and fragment (RFC 9449 §4.2)
      iat: Math.floor(Date.now() / 1e3),
      nonce: nonces.get(origin),
      ath: token && base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))),
    };
    const signed = encode({ typ: "dpop+jwt", alg: "ES256", jwk }) + "." + encode(claims);
    return signed + "." + base64url(await crypto.subtle.sign(ALGORITHM, privateKey, new TextEncoder().encode(signed)));
  };

  return {
    type: "dpop",

    async parameters() {
      const { jwk } = await (key ??= findKey(name));
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(jwk)));
      return { dpop_jkt: base64url(digest) };
    },

    async attempt(method, url, send, token) {
      const { origin } = new URL(url);
      for (let isRepeated = false; ; isRepeated = true) {
        const sent = nonces.get(origin); // of calls that leave together, each is refused for what it said itself
        const proof = { dpop: await prove(method, url, token) };
        const said = await send(token ? { ...proof, authorization: "DPoP " + token } : proof);
        const { nonce, isRefused } = readDemand(said);
        const isNew = nonce && nonce !== sent;
        if (isNew) nonces.set(origin, nonce);
        if (isRepeated || !isNew || !isRefused) return said;
      }
    },
  };
};
