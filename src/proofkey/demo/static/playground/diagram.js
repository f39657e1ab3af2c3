// The sequence diagram: one row for each of the eleven messages, which fills as they pass.

import { by, make, unseen } from "./element.js";
import { PARTIES } from "./parties.js";
import { STEPS } from "./steps.js";
import { VALUES } from "./values.js";

const LANES = Object.keys(PARTIES);

function carried(values) {
  return make("span", { class: "carries", "aria-hidden": "true" }, values.map((value) => make("span", { class: `value ${value}`, text: VALUES[value] })));
}

function spoken({ from, to, carries, front }) {
  const way = from === to ? `${PARTIES[from]}, by itself` : `from ${PARTIES[from]} to ${PARTIES[to]}`;
  const through = front ? ", through the browser's address" : "";
  const with_ = carries.length ? `, with ${carries.map((value) => VALUES[value]).join(", ")}` : "";
  return ` (${way}${through}${with_})`;
}

function row(step, place, onPick) {
  const number = place + 1;
  const button = make(
    "button",
    { type: "button", "aria-controls": "panel", on: { click: () => onPick(number) } },
    make("span", { class: "label" }, make("span", { class: "number", text: String(number) }), step.label, unseen(spoken(step))),
    make("span", { class: "arrow", "aria-hidden": "true" }),
    carried(step.carries),
  );
  const [from, to] = [LANES.indexOf(step.from), LANES.indexOf(step.to)];
  const direction = from === to ? "self" : from < to ? "right" : "left";
  const kind = step.front ? "front" : "direct";
  return make("li", { class: "row", "data-from": step.from, "data-to": step.to, "data-direction": direction, "data-kind": kind }, button);
}

/** Draw all rows; *onPick* hears the number of one that is pressed. */
export function drawDiagram(onPick) {
  by("rows").replaceChildren(...STEPS.map((step, place) => row(step, place, onPick)));
}

/** Let the messages that passed at the issuer, and on the way there and back, arrive one after the other. */
export function showArrival() {
  [...by("rows").children].slice(2, 6).forEach((item) => item.classList.add("arriving", "back"));
}

/** A message that is not in the protocol: the thief's, after the code. Null takes it away. */
export function showThiefRow(told) {
  by("rows").querySelector(".thief-row")?.remove();
  if (told === null) return;
  const label = make("p", { class: "label" }, make("span", { class: "number evil", text: "!" }), told);
  const row = make("li", { class: "thief-row arriving" }, label, make("span", { class: "arrow", "aria-hidden": "true" }));
  by("rows").children[5].after(row);
}

/** Show how far the walk is, and which step is looked at. */
export function showProgress(walk, shown) {
  [...by("rows").querySelectorAll(".row")].forEach((item, place) => {
    const number = place + 1;
    const passed = STEPS[place].hasPassed?.(walk) ?? walk.reached >= number;
    const state = passed ? "done" : walk.reached >= number ? "ready" : "later";
    if (item.dataset.state === "ready" && state === "done") item.classList.add("arriving");
    if (item.dataset.state === "later" && state === "done") item.classList.add("arriving");
    item.dataset.state = state;
    const button = item.querySelector("button");
    button.disabled = state === "later";
    if (number === shown) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
}
