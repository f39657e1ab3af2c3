// Reading metadata, tokens and challenges; writing forms; which address may get a token.
import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { isAbove } from "../src/api.js";
import { formOf } from "../src/http.js";
import { addressOf, challengeParameter, readCallback, readMetadata, readTokens, safe, stateOf } from "../src/protocol.js";

const ISSUER = "https://auth.example/demo/main";
const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  code_challenge_methods_supported: ["S256"],
};

const code = (expected: string) => (error: { code?: string }) => error.code === expected;

test("metadata count if they name the issuer to the byte and announce S256", () => {
  const read = (change: object) => readMetadata({ status: 200, body: { ...METADATA, ...change } }, ISSUER);
  equal(read({}).token_endpoint, `${ISSUER}/token`);
  throws(() => read({ issuer: `${ISSUER}/` }), code("metadata_refused"));
  throws(() => read({ issuer: undefined }), code("metadata_refused"));
  throws(() => read({ code_challenge_methods_supported: ["plain"] }), code("metadata_refused"));
  throws(() => read({ code_challenge_methods_supported: undefined }), code("metadata_refused"));
  throws(() => readMetadata({ status: 0 }, ISSUER), code("unavailable"));
});

test("nothing is sent to an address that can be read on the way", () => {
  for (const url of ["https://auth.example/token", "http://localhost:8400/t", "http://127.0.0.1:1/t", "http://[::1]/t"]) {
    equal(safe(url), url);
  }
  for (const url of ["http://auth.example/", "http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "ftp://x/", ""]) {
    throws(() => safe(url), code("metadata_refused"), url);
  }
  throws(() => safe(undefined), code("metadata_refused"));
});

test("a token response holds an access token of the type that was asked for, or the issuer's refusal", () => {
  const given = { access_token: "a", token_type: "Bearer" };
  deepEqual(readTokens({ status: 200, body: given }, "bearer"), given);
  throws(() => readTokens({ status: 200, body: given }, "dpop"), code("response_invalid"));
  throws(() => readTokens({ status: 200, body: { token_type: "Bearer" } }, "bearer"), code("response_invalid"));
  throws(() => readTokens({ status: 400, body: { error: "invalid_grant" } }, "bearer"), code("invalid_grant"));
  throws(() => readTokens({ status: 400, body: given }, "bearer"), code("response_invalid"));
  throws(() => readTokens({ status: 0 }, "bearer"), code("unavailable"));
});

test("a challenge's parameters are read with and without quotation marks", () => {
  const challenge = 'Bearer realm="api", error="insufficient_user_authentication", acr_values="urn:a urn:b", max_age=0';
  equal(challengeParameter(challenge, "error"), "insufficient_user_authentication");
  equal(challengeParameter(challenge, "acr_values"), "urn:a urn:b");
  equal(challengeParameter(challenge, "max_age"), "0");
  equal(challengeParameter(challenge, "age"), undefined);
  equal(challengeParameter(null, "error"), undefined);
});

test("a form sends several of an array, zero, and nothing of what is not there", () => {
  equal(String(formOf({ a: ["x", "y"], b: undefined, c: "", d: 0, e: "&=" })), "a=x&a=y&d=0&e=%26%3D");
  equal(String(formOf({ b: 1 }, "a=2")), "a=2&b=1");
  equal(addressOf("https://a.example/?x=1", { y: 2 }), "https://a.example/?x=1&y=2");
});

test("a token goes to an API's own address and below it, and nowhere else", () => {
  const api = "https://api.example/v1";
  for (const url of [api, `${api}/`, `${api}/notes?x=/#y`, `${api}?x`]) equal(isAbove(url)(api), true, url);
  for (const url of [
    "https://api.example/v10",
    "https://api.example/",
    "https://api.example.evil.example/v1",
    "https://evil.example/?https://api.example/v1/",
    "http://api.example/v1",
    "https://api.example:8443/v1",
    "https://user@api.example/v1",
  ]) {
    equal(isAbove(url)(api), false, url);
  }
});

test("an answer with a slash too many is refused, and not taken for none", () => {
  const [registered, came] = ["https://app.example/callback", "https://app.example/callback/?code=c&state=s"];
  equal(stateOf(came, registered), "s");
  throws(() => readCallback(came, "s", { issuer: "https://login.example", redirectUri: registered } as never, false), {
    code: "callback_address_differs",
  });
  for (const other of ["https://app.example/callback2?code=c&state=s", "https://app.example/?code=c&state=s"]) {
    equal(stateOf(other, registered), false, other);
  }
});
