// Proof Key for Code Exchange (RFC 7636), and the encoding it shares with tokens: base64url without padding.

/** Bytes as base64url without padding (RFC 7636 appendix A). */
export const base64url = (bytes: ArrayBuffer): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=/g, "");

/** The bytes that base64url text stands for; throws where it stands for none. */
export const fromBase64url = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));

/**
 * A `code_verifier`, `state`, `nonce` or session id: 244 random bits in 81 unreserved characters; in front the moment, so that
 * later ones sort behind earlier ones.
 */
export const mint = (moment = Date.now()): string => moment.toString(36) + "." + crypto.randomUUID() + crypto.randomUUID();

/** BASE64URL(SHA256(ASCII(code_verifier))): of the digest's bytes, not of its hex (RFC 7636 §4.2). */
export const challengeFor = async (verifier: string): Promise<string> =>
  base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
