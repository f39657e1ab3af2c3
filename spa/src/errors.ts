// Every way this library says no.

/**
 * What went wrong, in one word.
 *
 * - `login_required`: nobody is signed in (any more): call `login()`.
 * - `unavailable`: the issuer could not be reached, or says to come back later. Nobody was signed out.
 * - `popup_blocked`, `popup_timeout`: the browser allowed no window; nobody finished in it.
 * - `transaction_lost`: the answer belongs to no login of this tab or browser, or one silent restart did not mend it.
 * - `api_not_allowed`: `fetch()` was asked to send a token to an address that is none of the configured APIs.
 * - `response_invalid`: the issuer's answer holds no token of the expected type, or userinfo is about somebody else.
 * - `callback_…`: the answer is not this login's (RFC 9207, RFC 9700 §4.4). `id_token_…`: OpenID Connect Core §3.1.3.7.
 * - `metadata_refused`: what the issuer says of itself cannot be used: another `issuer` (RFC 8414 §3.3), no S256, or an address
 *   where tokens could be read on the way. The message holds the issuer or the address.
 */
export type ProofkeyErrorCode =
  | "login_required"
  | "unavailable"
  | "popup_blocked"
  | "popup_timeout"
  | "transaction_lost"
  | "api_not_allowed"
  | "response_invalid"
  | `callback_${string}`
  | `id_token_${string}`
  | "metadata_refused";

/**
 * A refusal. `code` is for programs: one of `ProofkeyErrorCode`, or the issuer's where it is an `OAuthError`.
 *
 * @example
 * ```ts
 * const refused = await client.fetch("https://elsewhere.example/").catch((error) => error);
 * if (refused instanceof ProofkeyError && refused.code === "api_not_allowed") console.log("no token goes there");
 * ```
 */
export class ProofkeyError extends Error {
  constructor(
    readonly code: string,
    /** What the issuer says about it (`error_description`). */
    readonly description?: unknown,
  ) {
    super(description ? code + ": " + description : code);
  }
}

/**
 * A refusal of the issuer: its `error` as `code`, its `error_description` as `description` (RFC 6749 §4.1.2.1, §5.2).
 *
 * @example
 * ```ts
 * const refused = await client.getToken({ scope: "unheard:of" }).catch((error) => error);
 * if (refused instanceof OAuthError) console.log(refused.code, refused.description);
 * ```
 */
export class OAuthError extends ProofkeyError {}
