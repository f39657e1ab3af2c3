// What each line of a message is for. The same name means different things in different messages, so each kind of message has
// its own sentences; a step or an attack in which a line is not what it usually is says so itself.

const TO_THE_ISSUER = {
  Host: "The authorization server.",
  Origin: "Added by the browser, and no page can change it: the issuer lets registered origins read its answers.",
};

const TO_THE_TOKEN_ENDPOINT = {
  ...TO_THE_ISSUER,
  "Content-Type": "A form, not JSON.",
  grant_type: "What is given in exchange.",
  client_id: "Which application asks. No secret: a browser could keep none.",
};

/** By the kind of request, and the name of the header or parameter. */
export const ASKED = {
  visit: { Host: "This page's own server." },
  authorization: {
    Host: "The authorization server.",
    response_type: "Ask for a code. There is no other way here.",
    client_id: "Which application asks. No secret: everybody can read it in this page.",
    redirect_uri: "Where the answer goes. It must be registered, byte for byte.",
    scope: "What the application would like to do. The person decides.",
    state: "Comes back unchanged: the answer belongs to this sign-in, in this tab.",
    nonce: "Comes back inside the ID token: the token was made for this sign-in.",
    code_challenge: "The hash of the verifier. Who reads it cannot compute the verifier.",
    code_challenge_method: "How it was hashed. `plain` is refused.",
  },
  redemption: {
    ...TO_THE_TOKEN_ENDPOINT,
    redirect_uri: "The address that the code was sent to, byte for byte. Nothing is sent there now.",
    code: "A ticket that is good once, for {code}, and only together with the verifier.",
    code_verifier: "The secret that the challenge was made from.",
  },
  refresh: { ...TO_THE_TOKEN_ENDPOINT, refresh_token: "Good for new tokens; each use replaces it." },
  userinfo: { ...TO_THE_ISSUER, Authorization: "The access token, in the header and never in the address." },
  call: {
    Host: "The resource server.",
    Origin: "Added by the browser, and no page can change it: the API lets pages of this machine read its answers.",
    Authorization: "The access token, in the header and never in the address.",
  },
};

const REFUSAL = {
  error: "The protocol's word for what went wrong.",
  error_description: "What to mend, and the slug to look up.",
};

const IN_PROGRAMS = {
  ...REFUSAL,
  "cache-control": "Nothing of this may be kept on a disk.",
  "content-type": "JSON.",
  "content-length": "How many bytes follow.",
  pragma: "The same for caches of the last century (RFC 6749 §5.1).",
  "www-authenticate": "The challenge: why not, and how to get in.",
};

const TOKENS = {
  ...IN_PROGRAMS,
  access_token: "Opens the API, for as long as `expires_in` says.",
  token_type: "Whoever bears it may use it: keep it in memory.",
  expires_in: "Seconds the access token lives.",
  id_token: "Says who signed in, to this application.",
  scope: "What the token opens: what was asked for, as far as it was allowed.",
  refresh_token: "For the next token, from the issuer alone. Each use replaces it.",
};

/** The same for the answers, by the kind of the request. */
export const ANSWERED = {
  authorization: {
    ...REFUSAL,
    location: "Where the browser goes next.",
    code: "A ticket that is good once, for {code}, and only together with the verifier.",
    state: "Come back unchanged: the answer belongs to this sign-in, in this tab.",
    iss: "Which issuer answers (RFC 9207): no other server's code can be slipped in.",
  },
  redemption: TOKENS,
  refresh: TOKENS,
  userinfo: { ...IN_PROGRAMS, sub: "Who signed in." },
  call: {
    ...IN_PROGRAMS,
    sub: "Whose notes these are: the person the token speaks of.",
    notes: "What all of this was for.",
  },
};

/** What a request of the thief says that the same request of the application does not. */
export const THIEF_ASKED = {
  client_id: "The application's name. It is public, so the thief says it, too.",
  Origin: "This page plays the thief, so its own origin stands here. A thief's program writes what it likes.",
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
