// The smallest app: a client, what it told, and what came back from a login. Tests speak to `client` in the page.
import { OAuthError, ProofkeyError, createClient } from "/spa/index.js";

const { dpop, ...config } = await (await fetch("/config.json")).json();
if (dpop) config.dpop = (await import("/spa/dpop.js")).dpop();
const events = [];
const client = createClient(config);
for (const name of ["signedin", "signedout", "refreshed", "error"]) {
  client.on(name, (told) => events.push([name, told instanceof Error ? String(told) : typeof told === "object" ? told.sub : told]));
}
/** What a promise comes to, in words that travel out of the page. */
const outcome = (promise) =>
  promise.then(
    (value) => ({ value }),
    (error) => ({ refused: error.code ?? String(error), isOurs: error instanceof ProofkeyError, isIssuers: error instanceof OAuthError }),
  );
Object.assign(window, { client, config, events, outcome, createClient });
window.back = await outcome(client.handleCallback());
document.getElementById("state").textContent = "ready";
