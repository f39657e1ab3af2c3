// What stands on the page while attacks run: the browser leaves and comes back for each, and this stays the same meanwhile.

import { ATTACKS } from "./attacks.js";
import { by, make, unseen } from "./element.js";
import { resultOf, row } from "./walk.js";

const STATES = { done: "Refused: ", through: "It went through: ", now: "Now: ", later: "To come: " };

function stateOf(attack, place, current) {
  if (place > current) return "later";
  if (place === current) return "now";
  return resultOf(attack)?.refused ? "done" : "through";
}

/** Show the row of attacks in place of everything else; *attack* is the one that is under way. */
export function showRunning(attack) {
  const all = row().includes(attack) ? row() : [attack];
  const current = all.indexOf(attack);
  by("running-title").textContent = all.length > 1 ? `Attack ${current + 1} of ${all.length}` : "Attacking …";
  by("running-list").replaceChildren(
    ...all.map((id, place) => {
      const state = stateOf(id, place, current);
      return make("li", { class: state }, unseen(STATES[state]), ATTACKS.find((one) => one.id === id).title);
    }),
  );
  document.title = `${by("running-title").textContent} · Playground`;
  document.body.classList.add("running");
}

/** Everything else is there again. */
export function endRunning() {
  document.body.classList.remove("running");
  document.body.classList.add("drawn");
}
