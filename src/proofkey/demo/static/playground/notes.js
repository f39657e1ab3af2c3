// What each line of a message is for, by the name of its header or parameter.

export const NOTES = {
  // Request lines and headers
  Host: "Which server is meant.",
  Origin: "Added by the browser, and no page can change it: the issuer lets registered origins read its answers.",
  "Content-Type": "A form, not JSON.",
  Authorization: "The access token, in the header and never in the address.",
  // The authorization request
  response_type: "Ask for a code. There is no other way here.",
  client_id: "Which application asks. No secret: everybody can read it in this page.",
  redirect_uri: "Where the answer goes. It must be registered, byte for byte.",
  scope: "What the application would like to do. The person decides.",
  state: "Comes back unchanged: the answer belongs to this sign-in, in this tab.",
  nonce: "Comes back inside the ID token: the token was made for this sign-in.",
  code_challenge: "The hash of the verifier. Who reads it cannot compute the verifier.",
  code_challenge_method: "How it was hashed. `plain` is refused.",
  // The answer
  code: "A ticket that is good once, for sixty seconds, and only together with the verifier.",
  iss: "Which issuer answers (RFC 9207): no other server's code can be slipped in.",
  error: "The protocol's word for what went wrong.",
  error_description: "What to mend, and the slug to look up.",
  // The token request
  grant_type: "What is given in exchange.",
  code_verifier: "The secret of step 2. This is the first time that it leaves the page.",
  refresh_token: "Good for new tokens; each use replaces it.",
  // Tokens
  access_token: "Opens the API, for five minutes.",
  token_type: "Whoever bears it may use it: keep it in memory.",
  expires_in: "Seconds the access token lives.",
  id_token: "Says who signed in, to this application.",
  // Response headers
  "cache-control": "Nothing of this may be kept on a disk.",
  "content-type": "JSON.",
  "content-length": "How many bytes follow.",
  pragma: "The same for caches of the last century (RFC 6749 §5.1).",
  "www-authenticate": "The challenge: why not, and how to get in.",
  location: "Where the browser goes next.",
  // The API
  sub: "Whose notes these are: the person the token speaks of.",
  notes: "What all of this was for.",
};

/** The same in answers, where a name means something else there. */
export const ANSWER_NOTES = {
  ...NOTES,
  scope: "What the token opens: what was asked for, as far as it was allowed.",
  refresh_token: "For the next token, from the issuer alone. Each use replaces it.",
};

/** What is said about a claim (RFC 7519 §4.1, OpenID Connect Core §2 and §5.1, RFC 9068 §2.2). */
export const CLAIMS = {
  alg: "The signature's algorithm. The page pins it; the token does not choose.",
  typ: "What kind of token: an access token is `at+jwt`, and no other kind passes for one.",
  kid: "Which of the issuer's published keys signed it.",
  iss: "Who signed it.",
  sub: "Whom it is about: a name that never changes.",
  aud: "For whom it is. Anybody else must refuse it.",
  exp: "When it ends.",
  iat: "When it was made.",
  nbf: "From when it is good.",
  auth_time: "When the person last proved who they are.",
  nonce: "The nonce of step 2, come back.",
  acr: "How strongly the person proved who they are.",
  amr: "By what means: `pwd` is a password.",
  at_hash: "Ties it to the access token it came with.",
  sid: "The session at the issuer, by a public name.",
  client_id: "Which application it was issued to.",
  scope: "What it opens, as far as the person allowed it.",
  jti: "The token's own name.",
  name: "For greeting people.",
  given_name: "From the scope `profile`.",
  family_name: "From the scope `profile`.",
  nickname: "From the scope `profile`.",
  preferred_username: "What the person signs in with.",
  locale: "Language and country.",
  zoneinfo: "Time zone.",
  email: "From the scope `email`.",
  email_verified: "Whether the issuer knows that the address is theirs.",
};
