// Every way this library says no.

/**
 * What went wrong, in one word.
 *
 * - `login_required`: nobody is signed in (any more): call `login()`.
 * - `unavailable`: the issuer could not be reached or asked to come back later. Nobody was signed out.
 * - `popup_blocked`, `popup_timeout`: the browser allowed no window; nobody finished in it.
 * - `transaction_lost`: the answer belongs to no login of this browser, and one silent restart did not mend it.
 * - `callback_…`: the answer is not this login's (RFC 9207, RFC 9700 §4.4). `id_token_…`: OpenID Connect Core §3.1.3.7.
 * - `metadata_…`: what the issuer says of itself cannot be used (RFC 8414 §3.3).
 * - `api_not_allowed`: `fetch()` was asked to send a token to an address that is none of the configured APIs.
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
  | `metadata_${string}`;

/**
 * A refusal of this library's own. `code` is for programs; the message is for developers.
 *
 * @example
 * ```ts
 * const refused = await client.getToken().catch((error) => error);
 * if (refused instanceof ProofkeyError && refused.code === "login_required") console.log("please sign in");
 * ```
 */
export class ProofkeyError extends Error {
  constructor(
    readonly code: string,
    message = code,
  ) {
    super(message);
  }
}

/**
 * A refusal of the issuer: its `error` as `code`, its `error_description` as `description` (RFC 6749 §4.1.2.1, §5.2).
 *
 * @example
 * ```ts
 * const refused = await client.grant({ grant_type: "password" }).catch((error) => error);
 * if (refused instanceof OAuthError) console.log(refused.code, refused.description);
 * ```
 */
export class OAuthError extends ProofkeyError {
  constructor(
    code: string,
    readonly description?: string,
  ) {
    super(code, description ? `${code}: ${description}` : code);
  }
}
