// The board: who knows what, as of the step that is shown.

import { by, make, unseen } from "./element.js";
import { KNOWLEDGE, PARTIES, SHORT_NAMES, knownAfter } from "./parties.js";
import { VALUES } from "./values.js";

const LEVELS = { knows: "knows it", hash: "knows only its hash", never: "has never seen it" };
const NAMES = { ...PARTIES, thief: "Whoever reads the addresses" };

function cell(step, value, party) {
  const known = knownAfter(step, value, party);
  const level = known?.level ?? "never";
  const fresh = known?.since === step;
  const mark = make("span", { class: `mark ${level} ${value}`, "aria-hidden": "true" });
  return make("td", { class: fresh ? "fresh" : null, title: known?.why ?? null }, mark, unseen(`${LEVELS[level]}${fresh ? ", since this step" : ""}`));
}

function heads() {
  return Object.keys(SHORT_NAMES).map((party) =>
    make("th", { scope: "col", class: party }, make("abbr", { title: NAMES[party], text: SHORT_NAMES[party] })),
  );
}

function rows(step) {
  return Object.entries(VALUES).map(([value, name]) =>
    make("tr", {}, make("th", { scope: "row", class: `value ${value}`, text: name }), Object.keys(SHORT_NAMES).map((party) => cell(step, value, party))),
  );
}

/** Show the board as of *step*, and say what is new on it. */
export function showBoard(step) {
  const corner = make("td", { class: "corner" });
  by("board-table").replaceChildren(make("thead", {}, make("tr", {}, corner, heads())), make("tbody", {}, rows(step)));
  const fresh = KNOWLEDGE.filter(([, , , since]) => since === step).map(([, , , , why]) => make("li", { text: why }));
  by("board-news").replaceChildren(...(fresh.length ? fresh : [make("li", { text: "Nobody learns anything new in this step." })]));
}
