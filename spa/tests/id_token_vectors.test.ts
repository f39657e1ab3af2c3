// ID tokens that Python and TypeScript both believe, or both refuse.
import { equal, match } from "node:assert/strict";
import { mock, test } from "node:test";
import vectors from "../../vectors/id_token.json" with { type: "json" };
import type { ProofkeyError } from "../src/errors.js";
import { importKeys, verifyIdToken, type Key } from "../src/id_token.js";

const { issuer, client_id, nonce, now } = vectors.defaults;

const isBelieved = async (idToken: string): Promise<boolean> => {
  mock.timers.enable({ apis: ["Date"], now: now * 1e3 });
  try {
    await verifyIdToken(idToken, { issuer, clientId: client_id, nonce }, () => importKeys(vectors.keys as Key[]));
    return true;
  } catch (error) {
    match((error as ProofkeyError).code, /^id_token_/);
    return false;
  } finally {
    mock.timers.reset();
  }
};

for (const { why, id_token, believed } of vectors.verifying) {
  test(`ID token: ${why}`, async () => equal(await isBelieved(id_token), believed));
}
