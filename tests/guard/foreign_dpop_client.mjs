// A client that is not ours: openid-client makes the key and the proofs, and answers a nonce's challenge by itself.
// It prints its key's thumbprint, reads {"url", "token"} from stdin, and prints the status of each request.
import { createInterface } from "node:readline";
import * as client from "openid-client";

const anybody = new client.Configuration({ issuer: "http://127.0.0.1:1" }, "anybody");
client.allowInsecureRequests(anybody);
const key = await client.randomDPoPKeyPair(process.argv[2]);
const DPoP = client.getDPoPHandle(anybody, key);
console.log(await DPoP.calculateThumbprint());
for await (const line of createInterface({ input: process.stdin })) {
  const { url, token } = JSON.parse(line);
  const send = async () => {
    try {
      const answer = await client.fetchProtectedResource(anybody, token, new URL(url), "GET", undefined, undefined, { DPoP });
      return answer.status;
    } catch (refusal) {
      return refusal.status ?? String(refusal);
    }
  };
  const first = await send();
  const together = await Promise.all([send(), send(), send()]);
  console.log(JSON.stringify([first, ...together]));
  break;
}
