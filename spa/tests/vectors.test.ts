// The cases that the Python and the TypeScript code both pass.
import { deepEqual, equal, match, notEqual, ok, throws } from "node:assert/strict";
import { test } from "node:test";
import callback from "../../vectors/callback.json" with { type: "json" };
import challenge from "../../vectors/challenge.json" with { type: "json" };
import pkce from "../../vectors/pkce.json" with { type: "json" };
import tokens from "../../vectors/token_response.json" with { type: "json" };
import { OAuthError, ProofkeyError } from "../src/errors.js";
import { challengeFor, mint } from "../src/pkce.js";
import { challengeParameter, readCallback, readTokens, stateOf } from "../src/protocol.js";

interface Reading {
  why: string;
  url: string;
  code: string | null;
  refused: string | null;
  redirect_uri?: string;
  iss_required?: boolean;
}

for (const { why, code_verifier, code_challenge } of pkce.transform) {
  test(`S256: ${why}`, async () => equal(await challengeFor(code_verifier), code_challenge));
}

test("a minted verifier is one that may be sent, and never the same", () => {
  for (const one of Array.from({ length: 100 }, () => mint())) {
    match(one, /^[A-Za-z0-9._~-]{43,128}$/);
    notEqual(one, mint());
  }
});

test("every verifier the vectors allow has the alphabet and length that minted ones keep to", () => {
  const allowed = (verifier: string): boolean => /^[A-Za-z0-9._~-]{43,128}$/.test(verifier) && !verifier.endsWith("\n");
  for (const { why, code_verifier, allowed: expected } of pkce.verifiers) equal(allowed(code_verifier), expected, why);
});

const read = (reading: Reading): [code: string | null, refused: string | null] => {
  const { issuer, state, redirect_uri, iss_required } = { ...callback.defaults, ...reading };
  try {
    return [readCallback(reading.url, state, { issuer, redirectUri: redirect_uri }, iss_required), null];
  } catch (error) {
    ok(error instanceof ProofkeyError);
    return [null, error instanceof OAuthError ? "callback_refused" : error.code];
  }
};

for (const reading of callback.reading as Reading[]) {
  test(`callback: ${reading.why}`, () => deepEqual(read(reading), [reading.code, reading.refused]));
}

for (const { why, lines, challenges } of challenge.reading) {
  test(`challenge: ${why}`, () => {
    for (const name of ["error", "acr_values", "max_age"]) {
      const [first] = challenges.flatMap(({ parameters }) => (parameters as Record<string, string>)[name] ?? []);
      equal(challengeParameter(lines.join(", "), name), first, name);
    }
  });
}

for (const { why, status, body, error } of tokens.reading) {
  test(`token response: ${why}`, () => {
    const reading = (): unknown => readTokens({ status, body }, "bearer");
    error ? throws(reading, { code: error }) : deepEqual(reading(), body);
  });
}

test("an answer that is the person's refusal tells why", () => {
  const url = "https://app.example/callback?error=access_denied&error_description=Not%20today&state=s";
  const asked = { issuer: "https://auth.example", redirectUri: "https://app.example/callback" };
  try {
    readCallback(url, "s", asked, false);
    ok(false);
  } catch (error) {
    ok(error instanceof OAuthError);
    deepEqual([error.code, error.description, error.message], ["access_denied", "Not today", "access_denied: Not today"]);
  }
});

test("an address is an answer where it is the redirect URI and holds a code or an error", () => {
  const home = "https://app.example/callback";
  equal(stateOf(`${home}?code=c&state=s`, home), "s");
  equal(stateOf(`${home}?error=e&state=s#x`, home), "s");
  ok(!stateOf(`${home}?state=s`, home));
  ok(!stateOf(`${home}?code=c`, home));
  ok(!stateOf("https://app.example/other?code=c&state=s", home));
});
