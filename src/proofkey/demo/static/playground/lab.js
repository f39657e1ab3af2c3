// The laboratory: a card for each attack, with what it did, what stopped it, and what died of it.

import { ATTACKS } from "./attacks.js";
import { by, make, paragraph, words } from "./element.js";
import { windowResult } from "./errands.js";
import { authorizationParameters, authorizationUrl, makeSecrets } from "./flow.js";
import { timed } from "./lifetimes.js";
import { LAWS } from "./laws.js";
import { MANUAL } from "./manual.js";
import { showRequest, showResponse } from "./message.js";
import { VALUES } from "./values.js";
import { keepResult, open, openAttack, resultOf } from "./walk.js";

const GROUPS = {
  "On the way to the issuer": "The authorization request travels in an address. Somebody changes it on the way.",
  "With a stolen code": "The code came back in an address. Somebody read it. Each attack gets a code of its own: the browser goes to the issuer and comes straight back.",
  "With stolen tokens": "Tokens do not travel in addresses. Suppose that somebody has them all the same.",
};

function lawBlock(number) {
  const { title, text } = LAWS[number];
  const name = number === "guard" ? "At the API" : `Law ${number}`;
  return make("section", { class: "law" }, make("p", { class: "law-name", text: name }), make("p", { class: "law-title", text: title }), paragraph(text));
}

function manualBlock(slug, told) {
  const [meaning, mend] = MANUAL[slug] ?? [told, null];
  const heading = make("p", { class: "law-name" }, "The manual, ", make("code", { class: "slug", text: slug ?? "" }));
  return make("section", { class: "manual" }, heading, paragraph(meaning ?? ""), mend && make("p", {}, make("strong", { text: "Mend: " }), words(mend)));
}

function sceneBlock(scene, place) {
  const refused = scene.response.status >= 400 || scene.response.refused;
  const pill = make("span", { class: refused ? "pill bad" : "pill good", text: `${scene.response.status}` });
  const title = make("span", { class: "scene-title" }, make("span", { class: scene.who === "The thief" ? "number evil" : "number", text: String(place + 1) }), make("strong", { text: scene.who }), ` ${scene.title}`);
  const summary = make("summary", {}, title, pill);
  const way = `${scene.who} → ${new URL(scene.request.url).host}`;
  const shown = [paragraph(scene.told, "fine"), showRequest(scene.kind, scene.request, way, scene.values, scene.asked), showResponse(scene.kind, scene.response, "The answer", scene.values, scene.answered)];
  return make("details", { class: "scene", open: scene.isVerdict === true }, summary, shown);
}

function aftermath(result) {
  const died = result.scenes.filter((scene) => scene.died && scene.response.status >= 400).map((scene) => scene.died);
  const outlived = result.scenes.filter((scene) => scene.outlived && scene.response.status < 400).map((scene) => scene.outlived);
  if (died.length + outlived.length === 0) return null;
  const list = (items, name) => items.map((text) => make("li", { class: name }, make("span", { class: "unseen", text: name === "dead" ? "Dead: " : "Alive: " }), timed(text)));
  return make(
    "section",
    { class: "aftermath" },
    make("p", { class: "law-title", text: "What died of it" }),
    make("ul", {}, list(["the grant: this sign-in, with everything it gave", ...died], "dead"), list(outlived, "alive")),
    make("p", { class: "fine", text: "The sign-in was the attack's own. Your walk above still stands, and the person stays signed in at the issuer: only this one authorization ended." }),
  );
}

function banner(result) {
  const told = [result.status, result.error].filter(Boolean).join(" · ");
  return make(
    "div",
    { class: result.refused ? "verdict refused" : "verdict accepted" },
    make("p", { class: "verdict-word", text: result.refused ? "Refused" : "It went through" }),
    make("p", { class: "verdict-status" }, make("code", { text: told })),
    make("p", { class: "verdict-words", text: result.words ?? "" }),
  );
}

/** Everything about the outcome of *attack*. */
export function showResult(attack, result) {
  const laws = [attack.law, attack.alsoLaw].filter((law) => law !== undefined && !(attack.isInline && law === attack.alsoLaw));
  return [
    banner(result),
    make("div", { class: "reasons" }, laws.map(lawBlock), manualBlock(result.slug, result.words)),
    aftermath(result),
    make("div", { class: "scenes" }, result.scenes.map(sceneBlock)),
  ].filter(Boolean);
}

function afterwards(attack, lab) {
  const again = attack.needs === "window" ? null : make("button", { type: "button", text: "Attack again", on: { click: () => lab.begin(attack) } });
  return make("div", { class: "buttons" }, again, make("button", { type: "button", text: "Begin the walk again", on: { click: lab.restart } }));
}

/** What a card shows when another one lies open: its verdict, and a way to look again. */
function inShort(attack, result, lab) {
  const told = `${result.refused ? "Refused" : "It went through"} · ${result.slug}`;
  const look = () => {
    open(attack.id);
    lab.redraw();
    revealAttack(attack.id);
  };
  const button = make("button", { type: "button", "aria-label": `Look again: ${attack.title}`, text: "Look again", on: { click: look } });
  return [make("p", { class: "pill good", text: told }), make("div", { class: "buttons" }, button)];
}

function fill(attack, lab) {
  const card = by(`attack-${attack.id}`);
  const result = resultOf(attack.id);
  const isOpen = openAttack() === attack.id;
  const whole = () => [...showResult(attack, result), afterwards(attack, lab)];
  card.classList.toggle("ran", result !== undefined);
  card.classList.toggle("open", isOpen);
  card.querySelector(".result").replaceChildren(...(result ? (isOpen ? whole() : inShort(attack, result, lab)) : []));
}

/** The card that lies open takes a row of its own, before the others of its group: to the eye, to the keyboard and to the ear. */
function putOpenFirst() {
  const inOrder = [...ATTACKS].sort((one, other) => (openAttack() === other.id) - (openAttack() === one.id));
  inOrder.forEach(({ id }) => by(`attack-${id}`).parentElement.append(by(`attack-${id}`)));
}

/** What the thief holds, in the colours of the walk, and what is missing. */
function loot({ has, lacks = [] }) {
  const chips = (values) => values.flatMap((value) => [" ", make("span", { class: `value ${value}`, text: VALUES[value] })]);
  const missing = lacks.length ? [make("span", { class: "lacks" }, ", lacks", chips(lacks))] : [];
  return make("p", { class: "loot" }, "Has", chips(has), missing);
}

/** The attack whose answer stays in another tab: a link, so that no popup blocker is in its way. */
async function windowButton(attack, lab) {
  const secrets = await makeSecrets();
  const parameters = { ...authorizationParameters(lab.config, secrets), ...attack.change(secrets, lab.config) };
  const url = authorizationUrl(lab.metadata, parameters);
  const watch = async () => {
    keepResult(attack.id, await windowResult(attack, url));
    lab.redraw();
    revealAttack(attack.id);
  };
  return make("a", { class: "button", href: url, target: "_blank", rel: "noopener", on: { click: watch } }, "Attack in a new tab");
}

async function drawCard(attack, lab) {
  const card = make(
    "article",
    { class: "attack", id: `attack-${attack.id}` },
    make("h4", { text: attack.title, tabindex: "-1" }),
    paragraph(attack.told),
    loot(attack),
    make("div", { class: "buttons trigger" }),
    make("div", { class: "result" }),
  );
  const trigger =
    attack.needs === "window"
      ? await windowButton(attack, lab)
      : make("button", { type: "button", text: "Attack", "aria-label": `Attack: ${attack.title}`, on: { click: () => lab.begin(attack) } });
  card.querySelector(".trigger").append(trigger);
  return card;
}

/** Draw all cards; *lab* can `begin` an attack and `restart` the walk. */
export async function drawLab(given) {
  const redraw = () => {
    ATTACKS.forEach((attack) => fill(attack, lab));
    putOpenFirst();
    showScore();
  };
  const lab = { ...given, redraw };
  const groups = Object.entries(GROUPS).map(async ([group, told]) => {
    const cards = ATTACKS.filter((attack) => attack.group === group).map((attack) => drawCard(attack, lab));
    return make("section", { class: "group" }, make("h3", { text: group }), paragraph(told, "fine"), make("div", { class: "cards" }, await Promise.all(cards)));
  });
  by("attacks").replaceChildren(...(await Promise.all(groups)));
  lab.redraw();
}

/** How many were tried, and how they ended. */
function showScore() {
  const results = ATTACKS.map((attack) => resultOf(attack.id)).filter(Boolean);
  const refused = results.filter((result) => result.refused).length;
  by("score").textContent = results.length ? `${results.length} of ${ATTACKS.length} tried, ${refused} refused.` : "";
}

/** Bring the attack that has just run into view, and the keyboard to it. */
export function revealAttack(id, behavior = "auto") {
  const card = by(`attack-${id}`);
  card.scrollIntoView({ block: "start", behavior });
  card.querySelector("h4").focus({ preventScroll: true });
}

/** In the walk itself: two attacks on the code that has just arrived; *attackHere* runs one, *onRefused* hears of it. */
export function showThief(attackHere, onRefused) {
  const place = make("div", { class: "result", "aria-live": "polite" });
  const section = make("section", { class: "stolen" });
  const buttons = ["no_verifier", "wrong_verifier"].map((id) => {
    const attack = ATTACKS.find((one) => one.id === id);
    const run = async () => {
      const result = await attackHere(attack);
      onRefused(`${attack.short}: ${result.refused ? "refused" : "let in"}`);
      place.replaceChildren(...showResult({ ...attack, isInline: true }, result));
      section.scrollIntoView({ block: "start" });
    };
    return make("button", { type: "button", class: "attack-button", text: attack.title, on: { click: run } });
  });
  section.append(
    make("h3", { text: "Stop: be the thief for a moment" }),
    paragraph("You read the code over somebody's shoulder. Use it, before the app does."),
    make("div", { class: "buttons" }, buttons),
    place,
  );
  return section;
}
