// A message as it goes over the wire: each line, with what it is for beside it.

import { make, words } from "./element.js";
import { asCurl } from "./http.js";
import { ANSWERED, ASKED } from "./notes.js";
import { colour } from "./values.js";

function line(text, note, values, options = {}) {
  const wire = make("code", { class: "wire", translate: "no" }, colour(text, values));
  const told = note ? [make("span", { class: "note" }, words(note))] : [];
  return make("li", { class: options.class }, wire, told);
}

const gap = () => make("li", { class: "gap", "aria-hidden": "true" });

function pairs(query, lead, values, notes) {
  return query.split("&").map((pair, place) => {
    const name = decodeURIComponent(pair.split("=", 1)[0]);
    return line(`${place === 0 ? lead : "&"}${pair}`, notes[name], values, { class: "pair" });
  });
}

function requestLines({ method, url, headers, body }, values, notes) {
  const { pathname, search, host } = new URL(url);
  const shown = [line(`${method} ${pathname}${search ? "" : " HTTP/1.1"}`, null, values, { class: "first" })];
  if (search) shown.push(...pairs(search.slice(1), "?", values, notes), line("  HTTP/1.1", null, values));
  shown.push(line(`Host: ${host}`, notes.Host, values));
  if (host !== location.host && !search) shown.push(line(`Origin: ${location.origin}`, notes.Origin, values));
  shown.push(...(headers ?? []).map(([name, value]) => line(`${name}: ${value}`, notes[name], values)));
  if (body) shown.push(gap(), ...pairs(body, "", values, notes));
  return shown;
}

function bodyLines({ json, body }, values, notes) {
  if (json === null || typeof json !== "object") return body ? [line(body, null, values)] : [];
  const members = Object.entries(json);
  const inside = members.map(([name, value], place) => {
    const comma = place < members.length - 1 ? "," : "";
    return line(`  "${name}": ${JSON.stringify(value)}${comma}`, notes[name], values, { class: "pair" });
  });
  return [line("{", null, values), ...inside, line("}", null, values)];
}

function responseLines(response, values, notes) {
  const headers = response.headers.map(([name, value]) => {
    const url = name === "location" && value.includes("?") ? value.split("?") : null;
    if (url === null) return [line(`${name}: ${value}`, notes[name], values)];
    return [line(`${name}: ${url[0]}`, notes.location, values), ...pairs(url[1], "?", values, notes)];
  });
  const lines = [line(`HTTP/1.1 ${response.status} ${response.reason}`, response.told, values, { class: "first" }), ...headers.flat()];
  const body = bodyLines(response, values, notes);
  return body.length ? [...lines, gap(), ...body] : lines;
}

async function copy(event, text) {
  const button = event.currentTarget;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "The browser does not let me";
  }
  setTimeout(() => (button.textContent = before), 1_600);
}

function caption(title, pill, curl) {
  const button = curl && make("button", { type: "button", class: "small", text: "Copy as curl", on: { click: (event) => copy(event, curl) } });
  return make("figcaption", {}, make("span", { class: "way", text: title }), pill, button);
}

/** A request of this *kind* from *way* ("Client application → API"); *notes* are what is to be said otherwise. */
export function showRequest(kind, request, way, values, notes = {}) {
  const shown = make("ol", { class: "lines" }, requestLines(request, values, { ...ASKED[kind], ...notes }));
  return make("figure", { class: "message request" }, caption(way, null, asCurl(request)), shown);
}

/** Its answer; red where it is a refusal. */
export function showResponse(kind, response, way, values, notes = {}) {
  const refused = response.status >= 400 || response.refused === true;
  const pill = make("span", { class: refused ? "pill bad" : "pill good", text: `${response.status} ${response.reason}` });
  const took = response.took ? make("span", { class: "took", text: `${response.took} ms` }) : null;
  const shown = make("ol", { class: "lines" }, responseLines(response, values, { ...ANSWERED[kind], ...notes }));
  return make("figure", { class: `message response${refused ? " refused" : ""}` }, caption(way, [pill, took]), shown);
}

/** What is said of headers that a page may not read. */
export const HIDDEN_HEADERS =
  "Shown are the headers that the browser lets a page read. curl shows all of them.";
