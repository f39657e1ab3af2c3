// The sample app: signs in, shows who is there, calls the API, refreshes, signs out. All of the flow is @proofkey/spa's.

import { ProofkeyError, createClient } from "./spa/proofkey-spa.js";
import { beginningOf, claimsOf, showBeginning, showStep } from "./steps.js";

const SIGNED_OUT = "proofkey-signed-out";
const ENDED = { logout: "You signed out in another tab.", expired: "Your session has ended.", replaced: "" };
const by = (id) => document.getElementById(id);
let config;
let client;
let session = null;

function showProblem(problem) {
  const refused = problem instanceof ProofkeyError;
  by("problem-code").textContent = refused ? problem.code : "error";
  by("problem-text").textContent = (refused && problem.description) || String(problem?.message ?? problem);
  by("problem").hidden = false;
  if (!refused) console.error(problem);
}

function tell(words) {
  by("notice").textContent = words;
  by("notice").hidden = words === "";
}

/** Run one action at a time; whatever it refuses is shown, never lost. */
async function act(action) {
  if (document.body.getAttribute("aria-busy") === "true") return;
  document.body.setAttribute("aria-busy", "true");
  by("problem").hidden = true;
  tell("");
  try {
    await action();
  } catch (problem) {
    showProblem(problem);
  } finally {
    document.body.setAttribute("aria-busy", "false");
  }
}

function render() {
  by("signed-in").hidden = session === null;
  by("signed-out").hidden = session !== null;
  if (session === null) return;
  const { name, preferred_username: username, email, sub } = session.person;
  by("who").textContent = name ?? username ?? email ?? sub;
  by("who-mail").textContent = email ?? sub;
  by("initial").textContent = by("who").textContent.slice(0, 1).toUpperCase();
  by("granted").replaceChildren(
    ...session.scope.split(" ").map((word) => Object.assign(document.createElement("li"), { textContent: word })),
  );
}

function renderClock() {
  if (!session?.endsAt) return;
  const left = Math.max(0, Math.round((session.endsAt - Date.now()) / 1000));
  const minutes = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  by("lifetime").textContent = left > 0 ? `Access token: ${minutes} left.` : "Access token: expired.";
}

/** Take over who is signed in and which access token there is; null: nobody. */
async function follow() {
  const person = await client.user();
  const token = person && (await client.getToken());
  const claims = token && claimsOf(token);
  session = person && { person, token, scope: claims?.scope ?? config.scope, endsAt: (claims?.exp ?? 0) * 1000 };
  render();
  renderClock();
}

function showTokens(title, proves) {
  showStep("Issuer", "App", title, proves, {
    id_token: session.person,
    access_token: claimsOf(session.token) ?? beginningOf(session.token),
  });
}

async function finish() {
  showBeginning(config);
  showStep("Issuer", "App", "Came back with a code", "state and iss are the ones of this sign-in; a code alone opens nothing.");
  await follow();
  showStep("App", "Issuer", "Traded code and verifier for tokens", "The verifier hashes to the challenge: whoever began this sign-in ends it.", {
    grant_type: "authorization_code",
    client_id: config.client_id,
    redirect_uri: config.redirect_uri,
  });
  by("signed-in").focus();
  showTokens("Got tokens", "The ID token is signed by the issuer, is for this app, and repeats the nonce of this sign-in.");
}

async function call(note) {
  const options = note === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ text: note }) };
  const response = await client.fetch(`${config.api}/notes`, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ProofkeyError(answer.error ?? `http_${response.status}`, answer.error_description ?? "The API refused.");
  by("api-answer").textContent = JSON.stringify(answer, null, 2);
  by("raw").hidden = false;
  by("notes").replaceChildren(...answer.notes.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  const title = note === undefined ? "Read the notes" : "Added a note";
  showStep("App", "API", title, "The API checked signature, issuer, audience, time and scope of the access token, and asked nobody.", {
    status: String(response.status),
    answer,
  });
}

async function renew() {
  await client.getToken({ renew: true });
  await follow();
  showTokens("Got fresh tokens", "The refresh token was used once and replaced; using the old one again ends the whole grant.");
  tell("Fresh tokens are here.");
}

async function addNote() {
  await call(by("note-text").value);
  by("note-text").value = "";
}

async function signOut() {
  sessionStorage.setItem(SIGNED_OUT, "yes");
  await client.logout();
}

function sayGoodbye() {
  if (sessionStorage.getItem(SIGNED_OUT) !== null) tell("You are signed out, here and at the issuer.");
  sessionStorage.removeItem(SIGNED_OUT);
}

/** Whoever did not allow it, or whose answer was not this app's, is told so; nobody is signed in by it. */
function showRefusal(refusal) {
  if (refusal.code === "access_denied") {
    showBeginning(config);
    showStep("Issuer", "App", "Came back with access_denied", "No code, so no tokens: nothing was given.", { error: refusal.code });
    refusal = new ProofkeyError(refusal.code, "You did not allow it; nothing was given.");
  }
  showProblem(refusal);
}

async function begin() {
  const response = await fetch("/config.json", { cache: "no-store" });
  config = await response.json();
  client = createClient({
    issuer: config.issuer,
    clientId: config.client_id,
    redirectUri: config.redirect_uri,
    postLogoutRedirectUri: config.post_logout_redirect_uri,
    scope: config.scope,
    apis: [config.api],
  });
  client.on("signedout", (why) => {
    session = null;
    render();
    if (sessionStorage.getItem(SIGNED_OUT) === null) tell(ENDED[why] ?? "");
  });
  client.on("signedin", () => follow().catch(showProblem));
  client.on("refreshed", () => follow().catch(showProblem));
}

async function start() {
  let refusal;
  let back = null;
  await act(async () => {
    await begin();
    back = await client.handleCallback().catch((refused) => void (refusal = refused));
    history.replaceState(null, "", "/");
    if (back) return finish();
    await follow();
    if (session) showTokens("You were signed in already", "The refresh token lies sealed in this browser; another tab, or the issuer, gave a fresh access token.");
  });
  if (refusal) showRefusal(refusal);
  else if (session === null) sayGoodbye();
  by("issuer").textContent = config?.issuer ?? "";
  by("to-playground").hidden = !config?.playground;
  by("sign-in").disabled = client === undefined;
}

by("sign-in").addEventListener("click", () => act(() => client.login()));
by("call-api").addEventListener("click", () => act(() => call()));
by("refresh").addEventListener("click", () => act(renew));
by("sign-out").addEventListener("click", () => act(signOut));
by("note").addEventListener("submit", (event) => {
  event.preventDefault();
  act(addNote);
});
setInterval(renderClock, 1000);
start();
