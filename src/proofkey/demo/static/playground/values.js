// The values of the flow: how each is called, which colour it wears, and where it stands in a text.

/** In the order in which they come into the world. */
export const VALUES = {
  password: "password",
  verifier: "code_verifier",
  challenge: "code_challenge",
  state: "state",
  nonce: "nonce",
  code: "code",
  access: "access token",
  refresh: "refresh token",
  id: "ID token",
};

const SHORT = 64;

/** Everything in the walk that is worth a colour. */
export function valuesOf({ secrets, answer, tokens }) {
  const found = { ...secrets, code: answer?.code, access: tokens?.access_token, refresh: tokens?.refresh_token, id: tokens?.id_token };
  return Object.entries(found).filter(([name, value]) => name in VALUES && typeof value === "string" && value !== "");
}

function short(value) {
  const shown = document.createElement("span");
  shown.className = "short";
  shown.textContent = `${value.slice(0, 22)}…${value.slice(-10)}`;
  const whole = document.createElement("span");
  whole.className = "whole";
  whole.textContent = value;
  return [shown, whole];
}

/** A value in its colour; a long one is cut unless the reader wants all of it. */
export function coloured(name, value) {
  const mark = document.createElement("mark");
  mark.className = `value ${name}`;
  mark.append(...(value.length > SHORT ? short(value) : [value]));
  return mark;
}

/** *text* as nodes, with each of *values* in its colour wherever it stands. */
export function colour(text, values) {
  for (const [name, value] of values) {
    const place = text.indexOf(value);
    if (place !== -1) {
      const [before, after] = [text.slice(0, place), text.slice(place + value.length)];
      return [...colour(before, values), coloured(name, value), ...colour(after, values)];
    }
  }
  return text === "" ? [] : text.split(/([A-Za-z0-9_.-]{65,})/).map((part, place) => (place % 2 ? longText(part) : part));
}

function longText(text) {
  const span = document.createElement("span");
  span.append(...short(text));
  return span;
}
