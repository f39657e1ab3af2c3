// The sample app: signs in, shows who is there, calls the API, refreshes, signs out.

import { Refused, beginLogin, callApi, decodeToken, discover, logoutAddress, redeem, refresh, takeCallback } from "./login.js";
import { beginningOf, showBeginning, showStep } from "./steps.js";

const SIGNED_OUT = "proofkey-signed-out";
const by = (id) => document.getElementById(id);
let config;
let metadata;
let session = null;

function showProblem(problem) {
  const refused = problem instanceof Refused;
  by("problem-code").textContent = refused ? problem.code : "error";
  by("problem-text").textContent = refused ? problem.message : String(problem?.message ?? problem);
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
    ...(session.scope ?? config.scope).split(" ").map((word) => Object.assign(document.createElement("li"), { textContent: word })),
  );
  by("refresh").disabled = !session.refresh_token;
}

function renderClock() {
  if (session === null) return;
  const left = Math.max(0, Math.round((session.endsAt - Date.now()) / 1000));
  const minutes = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  by("lifetime").textContent = left > 0 ? `Access token: ${minutes} left.` : "Access token: expired.";
}

function keep(tokens) {
  session = { ...tokens, endsAt: Date.now() + (tokens.expires_in ?? 300) * 1000 };
  render();
  renderClock();
}

function showTokens(title, proves) {
  const readable = session.access_token.split(".").length === 3;
  const access = readable ? decodeToken(session.access_token).claims : beginningOf(session.access_token);
  const values = { id_token: session.person, access_token: access };
  if (session.refresh_token) values.refresh_token = beginningOf(session.refresh_token);
  showStep("Issuer", "App", title, proves, values);
}

async function signIn() {
  const record = await beginLogin(config, metadata);
  location.assign(record.url);
}

async function finish(callback) {
  const { code, record } = callback;
  showBeginning(record);
  showStep("Issuer", "App", "Came back with a code", "state and iss are the ones of this sign-in; a code alone opens nothing.", {
    code: beginningOf(code),
    state: record.state,
    iss: record.issuer,
  });
  keep(await redeem(config, metadata, callback));
  showStep("App", "Issuer", "Traded code and verifier for tokens", "The verifier hashes to the challenge: whoever began this sign-in ends it.", {
    grant_type: "authorization_code",
    code: beginningOf(code),
    code_verifier: record.verifier,
  });
  by("signed-in").focus();
  showTokens("Got tokens", "The ID token is signed by the issuer, is for this app, and repeats the nonce of this sign-in.");
}

async function call(note) {
  const answer = await callApi(`${config.api}/notes`, session, note);
  by("api-answer").textContent = JSON.stringify(answer.body, null, 2);
  by("raw").hidden = false;
  by("notes").replaceChildren(
    ...answer.body.notes.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
  const title = note === undefined ? "Read the notes" : "Added a note";
  showStep("App", "API", title, "The API checked signature, issuer, audience, time and scope of the access token, and asked nobody.", {
    status: String(answer.status),
    answer: answer.body,
  });
}

async function renew() {
  keep(await refresh(config, metadata, session));
  showTokens("Got fresh tokens", "The refresh token was used once and replaced; using the old one again ends the whole grant.");
  tell("Fresh tokens are here.");
}

async function addNote() {
  await call(by("note-text").value);
  by("note-text").value = "";
}

function signOut() {
  const address = logoutAddress(config, metadata, session.id_token);
  session = null;
  sessionStorage.setItem(SIGNED_OUT, "yes");
  location.assign(address);
}

function sayGoodbye() {
  if (sessionStorage.getItem(SIGNED_OUT) !== null) tell("You are signed out, here and at the issuer.");
  sessionStorage.removeItem(SIGNED_OUT);
}

/** The answer in the address bar, taken out of it at once: neither a reload nor the back button finds it again. */
function readAddress() {
  try {
    return { callback: takeCallback(location.search) };
  } catch (refusal) {
    if (refusal.record) showBeginning(refusal.record);
    if (refusal.answer) showStep("Issuer", "App", `Came back with ${refusal.code}`, "No code, so no tokens: nothing was given.", refusal.answer);
    if (refusal.code === "access_denied") refusal.message = "You did not allow it; nothing was given.";
    return { callback: null, refusal };
  } finally {
    history.replaceState(null, "", "/");
  }
}

async function start() {
  const { callback, refusal } = readAddress();
  await act(async () => {
    const response = await fetch("/config.json", { cache: "no-store" });
    config = await response.json();
    metadata = await discover(config.issuer);
    if (callback !== null) await finish(callback);
  });
  if (refusal) showProblem(refusal);
  else if (callback === null) sayGoodbye();
  render();
  by("issuer").textContent = config?.issuer ?? "";
  by("to-playground").hidden = !config?.playground;
  by("sign-in").disabled = metadata === undefined;
}

by("sign-in").addEventListener("click", () => act(signIn));
by("call-api").addEventListener("click", () => act(() => call()));
by("refresh").addEventListener("click", () => act(renew));
by("sign-out").addEventListener("click", () => act(signOut));
by("note").addEventListener("submit", (event) => {
  event.preventDefault();
  act(addNote);
});
setInterval(renderClock, 1000);
start();
