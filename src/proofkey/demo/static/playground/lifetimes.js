// How long things live at this issuer: its configuration says so, and sentences take it from here.

/** In milliseconds, from the page's configuration. */
export const LIVES = { code: 0, access_token: 0, refresh_leeway: 0 };

function inWords(milliseconds) {
  const [count, unit] = milliseconds % 60_000 || milliseconds < 120_000 ? [milliseconds / 1_000, "second"] : [milliseconds / 60_000, "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** *text* with `{code}`, `{access_token}` and `{refresh_leeway}` in words. */
export const timed = (text) => text.replace(/\{(code|access_token|refresh_leeway)\}/g, (_, name) => inWords(LIVES[name]));
