// The panel beside the app: every message of the flow as it happens, and what it proves.

const list = document.getElementById("steps");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function listOf(values) {
  const shown = element("dl");
  for (const [name, value] of Object.entries(values)) {
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    const definition = element("dd");
    definition.append(element(typeof value === "string" ? "code" : "pre", text));
    shown.append(element("dt", name), definition);
  }
  return shown;
}

/** Show one message: who speaks to whom, what it says, what it proves. */
export function showStep(from, to, title, proves, values = {}) {
  const item = element("li");
  const details = element("details");
  const summary = element("summary");
  const way = element("span", undefined, "way");
  way.append(element("span", from));
  if (from !== to) way.append(element("span", "→", "arrow"), element("span", to));
  summary.append(way, element("span", title, "title"));
  details.append(summary, element("p", proves, "proves"));
  if (Object.keys(values).length) details.append(listOf(values));
  item.append(details);
  list.append(item);
  document.getElementById("no-steps").hidden = true;
}

/** What happened before the browser left this page. The secrets are the library's own: they are not shown, and gone. */
export function showBeginning(config) {
  showStep("App", "App", "Made a secret and its challenge", "Only this browser knows the verifier; the challenge tells nothing about it.");
  showStep("App", "Issuer", "Sent you to the issuer", "The challenge travels with the browser; whoever reads it cannot redeem the code.", {
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: config.redirect_uri,
    scope: config.scope,
    code_challenge_method: "S256",
  });
}

/** A token's first letters: enough to recognise it, too little to use it. */
export const beginningOf = (token) => `${token.slice(0, 16)}… (${token.length} characters)`;

/** The claims of a JWT, unverified, to be shown; null where it is none. */
export function claimsOf(token) {
  const parts = token.split(".");
  if (parts.length !== 3) return null;
  const bytes = Uint8Array.from(atob(parts[1].replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}
