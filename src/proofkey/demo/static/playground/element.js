// Making elements: text goes in as text, never as markup.

import { timed } from "./lifetimes.js";

/** An element with attributes (`class`, `text`, `on` for listeners, anything else as it is called) and children. */
export function make(name, { text, on = {}, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined && value !== null) made.setAttribute(attribute, value === true ? "" : value);
  }
  if (text !== undefined) made.textContent = text;
  Object.entries(on).forEach(([event, listener]) => made.addEventListener(event, listener));
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Words in which `backticks` mark what stands on the wire, as nodes. */
export function words(text) {
  return timed(text).split("`").map((part, place) => (place % 2 ? make("code", { text: part }) : document.createTextNode(part)));
}

export const paragraph = (text, className) => make("p", { class: className }, words(text));

/** For screen readers alone. */
export const unseen = (text) => make("span", { class: "unseen", text });

export const by = (id) => document.getElementById(id);
