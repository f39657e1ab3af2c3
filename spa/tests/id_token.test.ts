// ID tokens with real signatures: what is believed, and what each forgery is called.
import { equal, rejects } from "node:assert/strict";
import { test } from "node:test";
import { importKeys, verifyIdToken, type Expected, type Key } from "../src/id_token.js";
import { base64url } from "../src/pkce.js";

const EXPECTED: Expected = { issuer: "https://auth.example", clientId: "app", nonce: "n" };
const now = Math.floor(Date.now() / 1e3);
const CLAIMS = { iss: "https://auth.example", aud: "app", sub: "alice", nonce: "n", iat: now, exp: now + 300 };

const ALGORITHMS: Record<string, any> = {
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  ES384: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
  RS512: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
};

const encode = (part: unknown): string => base64url(new TextEncoder().encode(JSON.stringify(part)).buffer);

const signer = async (alg: string, kid = alg): Promise<{ key: Key; sign: (claims: object, header?: object) => Promise<string> }> => {
  const algorithm = ALGORITHMS[alg];
  const pair = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
  const { key_ops: _, ext: __, alg: ___, ...jwk } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  return {
    key: { ...jwk, kid, alg, use: "sig" },
    async sign(claims, header = {}) {
      const signed = encode({ alg, kid, ...header }) + "." + encode(claims);
      const signature = await crypto.subtle.sign(algorithm, pair.privateKey, new TextEncoder().encode(signed));
      return signed + "." + base64url(signature);
    },
  };
};

const es256 = await signer("ES256");
const believe = (idToken: string | undefined, keys: Key[] = [es256.key], expected = EXPECTED) =>
  verifyIdToken(idToken, expected, () => importKeys(keys));
const refused = (idToken: Promise<string>, code: string, keys?: Key[], expected?: Expected) =>
  rejects(async () => believe(await idToken, keys, expected), (error: any) => error.code === code);

for (const alg of Object.keys(ALGORITHMS)) {
  test(`a token signed with ${alg} is believed, and another's key does not verify it`, async () => {
    const [one, other] = [await signer(alg), await signer(alg)];
    equal((await believe(await one.sign(CLAIMS), [one.key])).sub, "alice");
    await refused(one.sign(CLAIMS), "id_token_signature_invalid", [other.key]);
  });
}

test("each claim that is wrong has its name", async () => {
  const wrong: [object, string][] = [
    [{ iss: "https://auth.example/" }, "iss_differs"],
    [{ aud: "other" }, "aud_differs"],
    [{ aud: ["app", "other"] }, "aud_differs"],
    [{ aud: [] }, "aud_differs"],
    [{ azp: "other" }, "aud_differs"],
    [{ exp: now - 61 }, "out_of_date"],
    [{ exp: undefined }, "out_of_date"],
    [{ iat: now + 90 }, "out_of_date"],
    [{ iat: undefined }, "out_of_date"],
    [{ nonce: "other" }, "nonce_differs"],
    [{ nonce: undefined }, "nonce_differs"],
    [{ sub: "" }, "sub_missing"],
  ];
  for (const [change, code] of wrong) await refused(es256.sign({ ...CLAIMS, ...change }), `id_token_${code}`);
  await rejects(believe(undefined), (error: any) => error.code === "id_token_missing");
});

test("what is no signed token at all is malformed", async () => {
  const [header, claims, signature] = (await es256.sign(CLAIMS)).split(".") as [string, string, string];
  const malformed = [
    "nothing",
    "..",
    `${header}.${claims}`,
    `${header}.!.${signature}`,
    `${header}.${claims}.!`,
    `${encode("{")}x.${claims}.${signature}`,
    `${header}.${claims.slice(0, 20)}.${signature}`,
    17 as unknown as string,
  ];
  for (const idToken of malformed) await refused(Promise.resolve(idToken), "id_token_malformed");
  await refused(Promise.resolve(`${header}.${encode(null)}.${signature}`), "id_token_iss_differs");
  await refused(Promise.resolve(`${encode(null)}.${claims}.${signature}`), "id_token_signature_invalid");
  await refused(Promise.resolve(`${header}.${claims}.${signature}.${signature}`), "id_token_signature_invalid");
});

test("of several audiences the authorized party is this client", async () => {
  equal((await believe(await es256.sign({ ...CLAIMS, aud: ["other", "app"], azp: "app" }))).sub, "alice");
  await refused(es256.sign({ ...CLAIMS, aud: ["app", "other"], azp: "other" }), "id_token_aud_differs");
  await refused(es256.sign({ ...CLAIMS, aud: ["other", "another"], azp: "app" }), "id_token_aud_differs");
});

test("a clock may be a minute wrong, and one audience may stand in an array", async () => {
  equal((await believe(await es256.sign({ ...CLAIMS, exp: now - 30, aud: ["app"], azp: "app" }))).sub, "alice");
  equal((await believe(await es256.sign({ ...CLAIMS, iat: now + 30 }))).sub, "alice");
});

test("an old sign-in does not pass where a recent one was asked for", async () => {
  const recently = { ...EXPECTED, maxAge: 0 };
  equal((await believe(await es256.sign({ ...CLAIMS, auth_time: now }), undefined, recently)).sub, "alice");
  await refused(es256.sign({ ...CLAIMS, auth_time: now - 120 }), "id_token_auth_time_old", undefined, recently);
  await refused(es256.sign(CLAIMS), "id_token_auth_time_old", undefined, { ...EXPECTED, maxAge: "3600" });
});

test("no signature, a secret's signature and another algorithm than the key's are refused", async () => {
  const rs256 = await signer("RS256", "ES256");
  await refused(es256.sign(CLAIMS, { alg: "none" }), "id_token_signature_invalid");
  await refused(es256.sign(CLAIMS, { alg: "HS256" }), "id_token_signature_invalid");
  await refused(es256.sign(CLAIMS, { alg: "ES512" }), "id_token_signature_invalid");
  await refused(es256.sign(CLAIMS, { alg: "RS256" }), "id_token_signature_invalid", [rs256.key]);
  await refused(rs256.sign(CLAIMS, { alg: "PS256" }), "id_token_signature_invalid", [rs256.key]);
  await refused(es256.sign(CLAIMS), "id_token_signature_invalid", [{ ...es256.key, use: "enc" }]);
  await refused(es256.sign(CLAIMS, { crit: ["exp"] }), "id_token_signature_invalid");
  await refused(es256.sign(CLAIMS, { crit: null }), "id_token_signature_invalid");
  const changed = (await es256.sign(CLAIMS)).replace(/\..*\./, `.${encode({ ...CLAIMS, sub: "mallory" })}.`);
  await refused(Promise.resolve(changed), "id_token_signature_invalid");
});

test("a key nobody knows is asked for once more, and only once", async () => {
  const asked: boolean[] = [];
  const find = (later: Key[]) => async (again: boolean) => {
    asked.push(again);
    return importKeys(again ? later : []);
  };
  equal((await verifyIdToken(await es256.sign(CLAIMS), EXPECTED, find([es256.key]))).sub, "alice");
  const idToken = await es256.sign(CLAIMS);
  await rejects(verifyIdToken(idToken, EXPECTED, find([])), (error: any) => error.code === "id_token_signature_invalid");
  equal(String(asked), "false,true,false,true");
});
