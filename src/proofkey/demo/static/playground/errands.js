// Running an attack, and what came of it in plain values, so that it can be kept and shown again.

import { ATTACKS } from "./attacks.js";
import { slugOf } from "./http.js";
import { valuesOf } from "./values.js";
import { redirectSeen } from "./views.js";

export const attackNamed = (id) => ATTACKS.find((attack) => attack.id === id);

function judged(scenes, more) {
  const truth = scenes.find((scene) => scene.isVerdict);
  const response = truth?.response;
  return {
    scenes,
    status: response ? `${response.status} ${response.reason}` : null,
    refused: response !== undefined && (response.status >= 400 || response.refused === true),
    error: response?.json?.error ?? null,
    words: response?.json?.error_description ?? null,
    slug: response ? slugOf(response) : null,
    ...more,
  };
}

/** Run *attack* (or the one of this name) with a code of its own, and judge it by its moment of truth. */
export async function runAttack(attack, context) {
  const { run } = typeof attack === "string" ? attackNamed(attack) : attack;
  const scenes = [];
  let tokens = null;
  if (run === undefined) throw new Error("The issuer gave out a code that it should have refused.");
  for await (const scene of run(context)) {
    tokens = scene.response.json?.access_token ? { ...tokens, ...scene.response.json } : tokens;
    scenes.push({ ...scene, values: valuesOf({ secrets: context.secrets, answer: context.answer, tokens }) });
  }
  return judged(scenes);
}

/** The result of an attack that the issuer answered by sending the browser back. */
export function redirectResult({ attack, secrets, url }, answer, landed) {
  const response = { ...redirectSeen(landed, true), json: null };
  const scene = {
    who: "The browser",
    title: "goes to the issuer, and is sent back at once",
    kind: "authorization",
    asked: attackNamed(attack).asked,
    told: "The client and its address are proven, so the application is told what went wrong. Nobody was asked to sign in.",
    request: { method: "GET", url, headers: [] },
    response,
    values: valuesOf({ secrets }),
    isVerdict: true,
  };
  const slug = slugOf({ json: answer });
  return judged([scene], { error: answer.error, words: answer.error_description, slug });
}

const THIEF_CHANNEL = "proofkey-playground-thief";
const WATCHED_FOR = 2_500;

/** The result of an attack whose answer is a page in another tab: what can be seen of it from here. */
export async function windowResult(attack, url) {
  const arrived = [];
  const channel = new BroadcastChannel(THIEF_CHANNEL);
  channel.addEventListener("message", (event) => arrived.push(event.data));
  await new Promise((resolve) => setTimeout(resolve, WATCHED_FOR));
  channel.close();
  const response = {
    status: 400,
    reason: "Bad Request",
    told: "Read it in the other tab: this page cannot. The issuer shares its pages with no other origin.",
    headers: [["content-type", "text/html; charset=utf-8"]],
    body: "",
    json: null,
  };
  const scene = {
    who: "The browser",
    title: "goes to the issuer in another tab, and stays there",
    kind: "authorization",
    asked: attack.asked,
    answered: { "content-type": "A page for the person." },
    told: `The issuer shows a page of its own and redirects nothing. The thief's address belongs to this demo and was listening: ${arrived.length} messages arrived there.`,
    request: { method: "GET", url, headers: [] },
    response,
    values: [],
    isVerdict: true,
  };
  const words = "Read it in the other tab: a page for the person, compared part by part, with the slug at its end. The application hears nothing, and neither does the thief.";
  return judged([scene], { slug: attack.slug, words, refused: arrived.length === 0, error: "no redirect" });
}
