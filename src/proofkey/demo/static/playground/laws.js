// The laws that stop the attacks, by their numbers in the README, each in a few words of what it does here.

export const LAWS = {
  1: {
    title: "S256 or nothing",
    text: "Every code is bound to the SHA-256 hash of a secret that only the application has. `plain`, a missing challenge and a missing method are refused before anybody signs in; and at the token endpoint a code without its verifier is a piece of paper.",
  },
  2: {
    title: "A code is spent once",
    text: "However many requests present it, in however many processes, at most one redeems it. A second presentation means that somebody else has the code: then everything that the first one got ends, too.",
  },
  5: {
    title: "A replayed refresh token kills its family; a retried one signs nobody out",
    text: "Each use replaces the token. The old one within {refresh_leeway}, while nobody has used its successor, is a lost answer: the same successor comes again. Later, it is a copy in the wrong hands, and the whole family ends, because the server cannot know which of the two is the thief.",
  },
  6: {
    title: "Nothing is redirected to an unproven address",
    text: "The address must be registered, and it is compared byte for byte, not by pattern. Until it is proven, the person sees a page of the issuer, and not one byte goes to the address.",
  },
  10: {
    title: "Liveness is read",
    text: "Tokens are compared with the grant as it is at this moment. When the grant has ended, userinfo and refresh refuse at once. An API that checks offline asks nobody: there, an access token lives out its {access_token}.",
  },
  guard: {
    title: "The guard's own rule: one kind of token, signed, for this API",
    text: "The guard pins the algorithm, takes keys from the issuer alone, and wants the type `at+jwt`, this issuer, this audience, this moment and these scopes. The token is not asked how it would like to be checked.",
  },
};
