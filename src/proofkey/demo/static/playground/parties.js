// The four parties, and what each of them knows of each value, since which step.

export const PARTIES = {
  person: "Person",
  client: "Client application",
  issuer: "Authorization server",
  api: "Resource server",
};

/** How they are called where there is little room; the fifth is nobody's friend. */
export const SHORT_NAMES = { person: "You", client: "App", issuer: "Issuer", api: "API", thief: "Thief" };

/** `[value, party, level, since step, why]`; a later row for the same cell replaces an earlier one. */
export const KNOWLEDGE = [
  ["password", "person", "knows", 1, "You know your password."],
  ["password", "issuer", "hash", 5, "The issuer saw the password once, and keeps an Argon2id hash."],
  ["verifier", "client", "knows", 2, "The app made the verifier. It stays in this tab until step 7."],
  ["verifier", "issuer", "hash", 3, "Of the verifier, the issuer knows the hash: that is the challenge."],
  ["verifier", "thief", "hash", 3, "Who reads the address learns the hash, and no way back from it."],
  ["verifier", "issuer", "knows", 7, "The issuer sees the verifier for the first time, and hashes it."],
  ["challenge", "client", "knows", 2, "The challenge is the hash of the verifier."],
  ["challenge", "issuer", "knows", 3, "The challenge travels in the address."],
  ["challenge", "thief", "knows", 3, "Addresses stand in histories and logs: the challenge is public."],
  ["state", "client", "knows", 2, "The state names this sign-in, in this tab."],
  ["state", "issuer", "knows", 3, "The issuer passes the state back, and makes nothing of it."],
  ["state", "thief", "knows", 3, "The state is public, too."],
  ["nonce", "client", "knows", 2, "The nonce will come back inside the ID token."],
  ["nonce", "issuer", "knows", 3, "The issuer puts the nonce into the ID token."],
  ["nonce", "thief", "knows", 3, "The nonce is public, too."],
  ["code", "issuer", "knows", 6, "The issuer seals the challenge into the code, and writes nothing down."],
  ["code", "client", "knows", 6, "The code came back in the address of this page."],
  ["code", "thief", "knows", 6, "The code passed through the address bar: suppose the thief has it."],
  ["access", "issuer", "knows", 9, "The issuer signs the access token, and does not keep it."],
  ["access", "client", "knows", 9, "The tokens come straight to the app, not through an address."],
  ["access", "api", "knows", 10, "The API sees the access token, and nothing else of all this."],
  ["refresh", "client", "knows", 9, "The refresh token is for the issuer alone."],
  ["refresh", "issuer", "hash", 9, "The issuer keeps a hash of the refresh token."],
  ["id", "issuer", "knows", 9, "The issuer signs the ID token."],
  ["id", "client", "knows", 9, "The ID token tells the app who you are. It opens nothing."],
];

/** The cell of *value* and *party* after *step*: `{level, since, why}`, or null for what was never seen. */
export function knownAfter(step, value, party) {
  const rows = KNOWLEDGE.filter(([of, by, , since]) => of === value && by === party && since <= step);
  if (rows.length === 0) return null;
  const [, , level, since, why] = rows[rows.length - 1];
  return { level, since, why };
}
