// What the manual says of the refusals met here: the same words as in docs/refusals.md, which a test compares.

export const MANUAL = {
  pkce_mismatch: [
    "`code_verifier` does not hash to the challenge.",
    "Send the verifier of the same attempt: two tabs, a reload or a second click make two. The log names the mistake where it is a known one: hex digest hashed, padding kept, plain base64 alphabet, swapped, hashed twice.",
  ],
  pkce_verifier_missing: [
    "The code was asked for with a challenge, and `code_verifier` is missing.",
    "Send the verifier that the challenge was made from.",
  ],
  pkce_required: [
    "There is no `code_challenge`. Public clients always need one; so do confidential ones unless their `pkce` setting says otherwise.",
    "Make a `code_verifier`, send its S256 challenge, and keep the verifier for the token request.",
  ],
  pkce_method_not_s256: [
    "`code_challenge_method` is `plain` or something else.",
    "Send `S256`, in this spelling, and the hash of the verifier as the challenge.",
  ],
  redirect_uri_mismatch: [
    "`redirect_uri` is not registered for this application. Strings are compared byte by byte; only the port of a native application's `http://127.0.0.1` or `http://[::1]` address may differ.",
    "Look for a trailing slash, `localhost` in place of `127.0.0.1`, `http` in place of `https`, another port, or an encoded character. In `proofkey dev` the page shows requested and registered part by part.",
  ],
  redirect_uri_differs: [
    "`redirect_uri` is not the one of the authorization request.",
    "Repeat that one, byte for byte.",
  ],
  code_invalid: [
    "The code is unknown, expired, already used, or another application's.",
    "Start a new authorization request. If it happens every time: a code may be redeemed twice, by a retry, a double effect in a framework, or a page that is loaded twice.",
  ],
  refresh_invalid: [
    "The refresh token is unknown, expired, revoked, or another application's.",
    "Ask the person to sign in again.",
  ],
  access_token_invalid: [
    "The access token is missing, malformed, expired, revoked, or not for here.",
    "Refresh it, or sign in again.",
  ],
  access_token_forged: [
    "The signature does not verify with the issuer's key.",
    "Compare the token with what the issuer sent; a proxy may have cut it off.",
  ],
  access_token_type: [
    "The token's `typ` is not `at+jwt`: an ID token, a logout token, or an issuer that does not follow RFC 9068.",
    "Send the access token. For an issuer that writes `JWT`, say `TrustedIssuer(…, typ=\"JWT\")`.",
  ],
  consent_denied: [
    "The person pressed \"Deny\".",
    "Nothing is wrong. Say what the application cannot do without access, and offer to try again.",
  ],
};
