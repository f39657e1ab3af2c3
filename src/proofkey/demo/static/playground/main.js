// The playground: walks through the flow with the reader, and then lets them attack it.

import { ATTACKS } from "./attacks.js";
import { showBoard } from "./board.js";
import { drawDiagram, showArrival, showProgress, showThiefRow } from "./diagram.js";
import { by, paragraph } from "./element.js";
import { attackNamed, redirectResult, runAttack } from "./errands.js";
import { authorizationParameters, authorizationUrl, bearerRequest, discover, makeSecrets, redemption, tokenRequest } from "./flow.js";
import { send } from "./http.js";
import { drawLab, revealAttack, showThief } from "./lab.js";
import { LIVES, timed } from "./lifetimes.js";
import { PARTIES } from "./parties.js";
import { endRunning, showRunning } from "./running.js";
import { STEPS } from "./steps.js";
import { decode } from "./token.js";
import { codeLeft, viewOf } from "./views.js";
import { beginAgain, beginErrand, formRow, keepResult, note, open, row, takeErrand, underWay, walk } from "./walk.js";

let config;
let metadata;
let shown = 1;

const narrow = matchMedia("(max-width: 55.99rem)");

function complain(problem) {
  by("problem").textContent = String(problem?.message ?? problem);
  by("problem").hidden = false;
}

/** Run one action at a time; what goes wrong is said. */
async function act(action) {
  if (document.body.getAttribute("aria-busy") === "true") return;
  document.body.setAttribute("aria-busy", "true");
  by("problem").hidden = true;
  try {
    await action();
  } catch (problem) {
    complain(problem);
  } finally {
    document.body.setAttribute("aria-busy", "false");
  }
}

function way({ from, to, front }) {
  const between = from === to ? `${PARTIES[from]}, by itself` : `${PARTIES[from]} → ${PARTIES[to]}`;
  return front ? `${between}, through the browser` : between;
}

/** On a phone the panel stands right below the row it belongs to, and the board inside it. */
function placePanel() {
  const home = narrow.matches ? by("rows").querySelectorAll(".row")[shown - 1] : by("stage");
  if (by("panel").parentElement !== home) home.append(by("panel"));
  if (narrow.matches) by("actions").before(by("board"));
  else by("stage").after(by("board"));
}

/** Bring the beginning of the step into view, where it is not. */
function bringIntoView() {
  const place = narrow.matches ? by("rows").querySelectorAll(".row")[shown - 1] : by("stage");
  if (narrow.matches || place.getBoundingClientRect().top < 0) place.scrollIntoView({ block: "start" });
  by("panel-title").focus({ preventScroll: true });
}

/** What the button of the step that is shown does; null where there is nothing to do. */
function nextOf(step) {
  const { reached, answer, exchanges } = walk();
  if (step === 6 && answer?.error !== undefined) return ["Begin again", restart];
  if (step === 7 && exchanges.token?.response.status >= 400) return ["Fetch a fresh code", fetchFreshCode];
  if (step === 7 && exchanges.token === undefined && codeLeft(walk()) === 0) return ["Fetch a fresh code", fetchFreshCode];
  if (step === 11) return ["Now break it", () => toTheAttacks()];
  if (step < reached || STEPS[step - 1].hasPassed?.(walk())) return ["Next", () => show(step + 1)];
  const actions = { 1: throwDice, 3: leave, 7: sendTokenRequest, 10: callApi };
  return [STEPS[step - 1].next, actions[step] ?? (() => reach(step + 1))];
}

function renderNext() {
  const [label, action] = nextOf(shown);
  by("next").textContent = label;
  by("next").onclick = () => act(action);
}

async function render({ focus = false } = {}) {
  const step = STEPS[shown - 1];
  by("panel-step").textContent = `Step ${shown} of 11 · ${way(step)}`;
  by("panel-title").textContent = step.title;
  const claims = walk().tokens ? decode(walk().tokens.id_token)?.claims : null;
  const context = { config, metadata, walk: walk(), claims, thief: () => showThief(attackHere, showThiefRow) };
  by("panel-body").replaceChildren(paragraph(step.told, "lead"), ...(await viewOf(shown, context)).filter(Boolean));
  renderNext();
  by("back").disabled = shown === 1;
  by("restart").hidden = walk().reached === 1;
  placePanel();
  showProgress(walk(), shown);
  showBoard(shown);
  renderClock();
  document.title = `${shown} · ${step.title} · Playground`;
  if (focus) bringIntoView();
}

async function show(step) {
  shown = step;
  note({ shown });
  await render({ focus: true });
}

async function reach(step) {
  note({ reached: Math.max(walk().reached, step) });
  await show(step);
}

async function throwDice() {
  note({ secrets: await makeSecrets() });
  await reach(2);
}

function leave() {
  const url = authorizationUrl(metadata, authorizationParameters(config, walk().secrets));
  note({ url, leftAt: Date.now() });
  location.assign(url);
}

/** The code is too old: the same again with new secrets; the issuer still knows the person. */
async function fetchFreshCode() {
  beginAgain();
  note({ secrets: await makeSecrets(), reached: 3, shown: 3 });
  leave();
}

async function sendTokenRequest() {
  const exchange = await send(tokenRequest(metadata, redemption(config, walk().answer.code, walk().secrets.verifier)));
  note({ exchanges: { ...walk().exchanges, token: exchange } });
  if (exchange.response.status !== 200) {
    await render();
    return;
  }
  note({ tokens: exchange.response.json });
  await reach(8);
}

async function callApi() {
  const exchange = await send(bearerRequest(config.api, walk().tokens.access_token));
  note({ exchanges: { ...walk().exchanges, api: exchange } });
  await reach(11);
}

function toTheAttacks(behavior = "auto") {
  by("lab").scrollIntoView({ behavior });
  by("lab-title").focus({ preventScroll: true });
}

async function restart() {
  beginAgain();
  showThiefRow(null);
  await show(1);
}

/** Try an attack with the code of the walk itself: it must not harm it. */
async function attackHere(attack) {
  const context = { config, metadata, secrets: walk().secrets, answer: walk().answer, isInline: true };
  return runAttack(attack, context);
}

/** Send the browser for a code of the attack's own; it comes straight back where the issuer knows the person. */
async function begin(attack) {
  const secrets = await makeSecrets();
  const changes = attack.change?.(secrets, config) ?? {};
  const url = authorizationUrl(metadata, { ...authorizationParameters(config, secrets), ...changes });
  beginErrand({ attack: attack.id, secrets, url });
  location.assign(url);
}

/** One attack after the other, without the one that needs a tab of its own. */
async function beginAll() {
  formRow(ATTACKS.filter((attack) => attack.needs !== "window").map((attack) => attack.id));
  await begin(attackNamed(row()[0]));
}

/** Go on in the row after *attacked*; false where it was the last one. */
async function goOn(attacked) {
  const next = row()[row().indexOf(attacked) + 1];
  if (!row().includes(attacked) || next === undefined) return false;
  showRunning(next);
  await begin(attackNamed(next));
  return true;
}

/** Show what came of the attack, or of the whole row: how many were refused, and every card's verdict. */
async function showOutcome(attacked, attacks) {
  const isRow = row().includes(attacked);
  formRow([]);
  if (isRow) open(null);
  await drawLab(attacks);
  endRunning();
  if (isRow) toTheAttacks("instant");
  else revealAttack(attacked, "instant");
}

/** The answer in the address bar, taken out of it at once. */
function takeAnswer() {
  const landed = location.href;
  const answer = Object.fromEntries(new URLSearchParams(location.search));
  history.replaceState(null, "", "/playground");
  return Object.keys(answer).length ? { landed, answer } : null;
}

/** Believe nothing before `state` and `iss` are those of a sign-in begun in this tab; each answer counts once. */
async function receive({ landed, answer }) {
  const errand = answer.iss === config.issuer ? takeErrand(answer.state) : null;
  if (errand !== null) {
    const context = { config, metadata, secrets: errand.secrets, answer, isInline: false };
    const result = answer.error === undefined ? await runAttack(errand.attack, context) : redirectResult(errand, answer, landed);
    keepResult(errand.attack, result);
    return errand.attack;
  }
  if (walk().answer !== null || walk().secrets?.state !== answer.state || answer.iss !== config.issuer) {
    complain("This answer belongs to no sign-in begun in this tab, or was used already. It was thrown away.");
    return null;
  }
  note({ answer, landed, backAt: Date.now(), reached: 6, shown: 6 });
  return null;
}

function renderClock() {
  const waiting = config && walk().answer?.code && walk().exchanges.token === undefined && [6, 7].includes(shown);
  by("clock").hidden = !waiting;
  if (!waiting) return;
  const left = Math.ceil(codeLeft(walk()) / 1000);
  by("clock").textContent = left > 0 ? `The code lives for another ${left} s` : timed("The code is too old: it lived for {code}");
  by("clock").classList.toggle("over", left === 0);
  if (left === 0) renderNext();
}

/** An attack that fails is said, and ends the row; the page is there all the same. */
async function receiveSafely(came) {
  try {
    return await receive(came);
  } catch (problem) {
    complain(problem);
    return null;
  }
}

async function start() {
  const came = takeAnswer();
  if (came && underWay()) showRunning(underWay());
  await act(async () => {
    config = await (await fetch("/playground/config.json", { cache: "no-store" })).json();
    Object.assign(LIVES, config.lives);
    metadata = await discover(config.issuer);
    const attacked = came && (await receiveSafely(came));
    if (attacked && (await goOn(attacked))) return;
    drawDiagram((number) => act(() => show(number)));
    shown = walk().shown ?? 1;
    by("to-app").hidden = !config.has_app;
    if (!attacked) endRunning();
    await render({ focus: came !== null && !attacked });
    const attacks = { config, metadata, begin: (attack) => act(() => begin(attack)), restart: () => act(restart) };
    if (attacked) return showOutcome(attacked, attacks);
    formRow([]);
    await drawLab(attacks);
    if (came) showArrival();
  });
  if (!by("problem").hidden) document.body.classList.remove("running");
}

by("back").addEventListener("click", () => act(() => show(shown - 1)));
by("all-attacks").addEventListener("click", () => act(beginAll));
by("restart").addEventListener("click", () => act(restart));
by("in-full").addEventListener("change", (event) => document.body.classList.toggle("in-full", event.target.checked));
narrow.addEventListener("change", placePanel);
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(renderClock, 1000);
start();
