// What each step shows: the real messages, the values, and what was checked.

import { make, paragraph, words } from "./element.js";
import { authorizationParameters, authorizationUrl, base64url, bearerRequest, challengeFor, redemption, sha256, tokenRequest } from "./flow.js";
import { LIVES } from "./lifetimes.js";
import { HIDDEN_HEADERS, showRequest, showResponse } from "./message.js";
import { decode, idTokenChecks, showChecks, showToken, verify } from "./token.js";
import { coloured, valuesOf } from "./values.js";

const TO_ISSUER = "Client application → Authorization server";
const FROM_ISSUER = "Authorization server → Client application";

/** The code's remaining life in milliseconds, counted from when it was here. */
export const codeLeft = (walk) => Math.max(0, (walk.backAt ?? 0) + LIVES.code - Date.now());

function facts(entries) {
  return make("dl", { class: "facts" }, entries.flatMap(([name, value]) => [make("dt", {}, words(name)), make("dd", {}, value)]));
}

const code = (text) => make("code", { translate: "no", text });

function userAccess({ config }) {
  const request = { method: "GET", url: config.home, headers: [] };
  const known = facts([
    ["`client_id`", code(config.client_id)],
    ["`redirect_uri`", code(config.redirect_uri)],
    ["`scope`", code(config.scope)],
    ["issuer", code(config.issuer)],
    ["API", code(config.api)],
  ]);
  return [showRequest("visit", request, "Person → Client application", []), make("h3", { text: "What the app is, to the issuer" }), known];
}

function experiment({ walk }) {
  const input = make("textarea", { id: "try", rows: "2", spellcheck: "false", autocomplete: "off", maxlength: "128", text: walk.secrets.verifier });
  const output = make("output", { for: "try", translate: "no" });
  const show = async () => output.replaceChildren(coloured("challenge", await challengeFor(input.value)));
  input.addEventListener("input", show);
  show();
  return make("div", { class: "experiment" }, make("label", { for: "try", text: "Change one letter" }), input, output);
}

async function secrets({ walk }) {
  const { verifier, challenge, state, nonce } = walk.secrets;
  const digest = await sha256(verifier);
  const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const derivation = make(
    "ol",
    { class: "derivation" },
    make("li", {}, make("span", { class: "note", text: "32 random bytes, as 43 characters" }), coloured("verifier", verifier)),
    make("li", {}, make("span", { class: "note", text: "SHA-256 of these characters" }), make("code", { class: "hex", translate: "no", text: hex })),
    make("li", {}, make("span", { class: "note", text: "the same 32 bytes in base64url, without padding" }), coloured("challenge", base64url(digest))),
  );
  const others = facts([
    ["`state`", coloured("state", state)],
    ["`nonce`", coloured("nonce", nonce)],
  ]);
  const same = base64url(digest) === challenge;
  return [derivation, experiment({ walk }), make("h3", { text: "And two more random values" }), others, showChecks([[same, "The challenge is the hash of the verifier"]])];
}

function authorizationRequest({ config, metadata, walk }) {
  const url = authorizationUrl(metadata, authorizationParameters(config, walk.secrets));
  const before = paragraph(
    "Press the button, and this page is gone: the browser is at the issuer. Look at the address bar there. Sign in (in the demo as `alice`, with the password that the terminal printed when it started), and allow. You will be sent back here, to step 6.",
    "callout",
  );
  const away = walk.leftAt !== null && walk.answer === null;
  const again = away ? [paragraph("You were at the issuer and came back without an answer. Nothing is lost: go again.", "callout")] : [];
  const shown = showRequest("authorization", { method: "GET", url, headers: [] }, `${TO_ISSUER}, through the browser`, valuesOf(walk));
  return [...(walk.answer === null ? [...again, before] : []), shown];
}

const seconds = (milliseconds) => `${Math.max(1, Math.round(milliseconds / 1000))} s`;

/** Whether the issuer asked for the password, as far as the ID token tells. */
function askedForPassword({ walk, claims }) {
  if (!claims) return "The ID token of step 9 will tell when you last proved who you are.";
  const then = new Date(claims.auth_time * 1000).toLocaleTimeString("en-GB");
  const asked = (claims.auth_time + 1) * 1000 >= walk.leftAt;
  return asked
    ? `The ID token says that you proved who you are at ${then}: after you left this page.`
    : `The ID token says that you proved who you are at ${then}: before you left this page. The issuer still knew you and asked for no password.`;
}

function consent(context) {
  const { config, walk, metadata } = context;
  const asked = make("ul", { class: "scopes" }, config.scope.split(" ").map((scope) => make("li", {}, code(scope))));
  const known = facts([
    ["away from this page for", document.createTextNode(seconds(walk.backAt - walk.leftAt))],
    ["the pages stood at", code(new URL(metadata.issuer).origin)],
    ["asked for", asked],
  ]);
  const told = "Who allowed this before is not asked again: the issuer remembers it for this application, and then sends the browser straight back.";
  return [known, paragraph(told, "fine")];
}

function authentication(context) {
  return [
    paragraph(askedForPassword(context)),
    paragraph("What those pages sent is not shown here, because this page could not see it: they are of another origin, and this page was not even open.", "callout"),
  ];
}

/** The issuer's redirect as this page sees it: the address that the browser was sent to. */
export function redirectSeen(landed, refused = false) {
  return {
    status: 303,
    reason: "See Other",
    told: "The browser followed it at once. A page sees only where it landed.",
    headers: [["location", landed]],
    body: "",
    json: null,
    refused,
  };
}

function codeIssued({ walk, config, thief }) {
  const { answer, secrets: made } = walk;
  const shown = showResponse("authorization", redirectSeen(walk.landed, answer.error !== undefined), `${FROM_ISSUER}, through the browser`, valuesOf(walk));
  const checks = showChecks([
    [answer.state === made.state, "`state` is the one of this sign-in, in this tab"],
    [answer.iss === config.issuer, "`iss` is the issuer that the browser was sent to"],
  ]);
  return [shown, checks, answer.error === undefined && walk.exchanges.token === undefined ? thief() : null];
}

function tokenRequestView({ config, metadata, walk }) {
  const request = walk.exchanges.token?.request ?? tokenRequest(metadata, redemption(config, walk.answer.code, walk.secrets.verifier));
  const response = walk.exchanges.token?.response;
  const refused = response !== undefined && response.status >= 400;
  const first = { code_verifier: "The secret of step 2. This is the first time that it leaves the page." };
  return [showRequest("redemption", request, TO_ISSUER, valuesOf(walk), first), refused && showResponse("redemption", response, FROM_ISSUER, valuesOf(walk))];
}

async function validation({ config, walk }) {
  const again = await challengeFor(walk.secrets.verifier);
  const sum = make(
    "ol",
    { class: "derivation" },
    make("li", {}, make("span", { class: "note", text: "the verifier of the token request" }), coloured("verifier", walk.secrets.verifier)),
    make("li", {}, make("span", { class: "note", text: "hashed" }), coloured("challenge", again)),
    make("li", {}, make("span", { class: "note", text: "sealed inside the code since step 6" }), coloured("challenge", walk.secrets.challenge)),
  );
  const told = make("p", { class: "fine", text: "The issuer did this sum on its side; it was done again here, in this page." });
  const checks = showChecks([
    [true, `The code is the issuer's own, and \`${config.client_id}\` asked for it`],
    [true, "It is younger than {code}, and unspent"],
    [true, "`redirect_uri` is the one of step 3, byte for byte"],
    [again === walk.secrets.challenge, "SHA-256 of `code_verifier` is the challenge"],
    [true, "The session, the person and the consent are still there"],
  ]);
  return [sum, told, checks];
}

async function tokens({ config, metadata, walk }) {
  const values = valuesOf(walk);
  const isVerified = decode(walk.tokens.access_token) !== null && (await verify(metadata, walk.tokens.access_token)).verified;
  const checks = await idTokenChecks(config, metadata, walk);
  return [
    showResponse("redemption", walk.exchanges.token.response, FROM_ISSUER, values),
    paragraph(HIDDEN_HEADERS, "fine"),
    make("h3", { text: "The ID token, checked in this page" }),
    showChecks(checks),
    showToken("The ID token, opened", walk.tokens.id_token, "Signed, not encrypted: whoever holds it can read it.", values),
    showToken(
      "The access token, opened",
      walk.tokens.access_token,
      `An application should not look inside: it is for the API. This page looks because it teaches. ${isVerified ? "Its signature verifies, too." : "Only the issuer can read this one."}`,
      values,
      false,
    ),
    showToken("The refresh token", walk.tokens.refresh_token, "Nothing to read: the name of the grant, a counter, a secret, and a seal that only the issuer can make.", values, false),
  ];
}

function apiRequest({ config, walk }) {
  const request = walk.exchanges.api?.request ?? bearerRequest(config.api, walk.tokens.access_token);
  return [showRequest("call", request, "Client application → Resource server", valuesOf(walk))];
}

function apiAnswer({ walk }) {
  const { response } = walk.exchanges.api;
  const notes = response.json?.notes ?? [];
  return [
    make("ul", { class: "paper", "aria-label": "Your notes" }, notes.map((text) => make("li", { text }))),
    showResponse("call", response, "Resource server → Client application", valuesOf(walk)),
    paragraph("Eleven messages, and nobody has what they should not. Now try to break it.", "callout"),
  ];
}

const VIEWS = [userAccess, secrets, authorizationRequest, consent, authentication, codeIssued, tokenRequestView, validation, tokens, apiRequest, apiAnswer];

/** The nodes of *step* (1 to 11). */
export const viewOf = async (step, context) => VIEWS[step - 1](context);
