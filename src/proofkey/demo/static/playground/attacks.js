// The attacks. Each is really sent to the real server; what is shown is what came back. The one exception is the changed
// redirect_uri: its answer stays in another tab, where this page cannot read it, and says so.
//
// An attack that needs a code sends the browser to the issuer for one of its own, so that the walk above stays whole.
// `run` yields scenes: what was sent, what came back, and whether this is the moment of truth.

import { base64url, bearerRequest, fromBase64url, redemption, tokenRequest } from "./flow.js";
import { send } from "./http.js";

const APP = "The application";
const THIEF = "The thief";

async function scene(who, title, request, told, more = {}) {
  return { who, title, told, ...(await send(request)), ...more };
}

const verdict = { isVerdict: true };

const redeem = ({ config, metadata, secrets, answer }) =>
  scene(APP, "redeems its code", tokenRequest(metadata, redemption(config, answer.code, secrets.verifier)), "The application is quick and gets its tokens.");

function stolen({ config, metadata, answer, secrets }, changes, title, told) {
  const parameters = { ...redemption(config, answer.code, secrets.verifier), ...changes };
  return scene(THIEF, title, tokenRequest(metadata, parameters), told, verdict);
}

/** After an attack that must not have spent the code. */
async function* unharmed(context) {
  if (context.isInline) return;
  const kept = await redeem(context);
  yield { ...kept, title: "redeems the same code afterwards", told: "The attack changed nothing: a thief cannot burn what is not theirs." };
}

const userinfo = (metadata, token) => bearerRequest(metadata.userinfo_endpoint, token);

const refreshing = ({ config, metadata }, token) =>
  tokenRequest(metadata, { grant_type: "refresh_token", client_id: config.client_id, refresh_token: token });

async function* replayCode(context) {
  const first = await redeem(context);
  yield first;
  yield stolen(context, {}, "presents the same code", "The thief even has the verifier. Everything is right but one thing: the code was spent.");
  const { access_token: access, refresh_token: refresh } = first.response.json;
  yield scene(APP, "asks the issuer who signed in", userinfo(context.metadata, access), "The access token of the first redemption: dead at the issuer, at once.", { died: "the access token, at the issuer" });
  yield scene(APP, "refreshes", refreshing(context, refresh), "Its refresh token: dead as well.", { died: "the refresh token" });
  yield scene(APP, "calls the API", bearerRequest(context.config.api, access), "The API checks offline and asks nobody: there the token lives out its five minutes, and cannot be renewed.", { outlived: "the access token, at the API, for at most five minutes" });
}

async function* replayRefresh(context) {
  const first = await redeem(context);
  yield first;
  const stolenToken = first.response.json.refresh_token;
  const second = await scene(APP, "refreshes", refreshing(context, stolenToken), "The token is replaced by its successor.");
  yield second;
  yield scene(APP, "refreshes with the old token, at once", refreshing(context, stolenToken), "As if the answer had been lost on the way. Within ten seconds, while the successor is unused, the same successor comes again: nobody is signed out by a bad network.");
  const third = await scene(APP, "refreshes with the successor", refreshing(context, second.response.json.refresh_token), "The successor is used: its predecessor can have no honest use any more.");
  yield third;
  yield scene(THIEF, "presents a copy of the first token", refreshing(context, stolenToken), "One of the two holders is a thief. The issuer cannot know which, and ends it for both.", verdict);
  yield scene(APP, "refreshes with its newest token", refreshing(context, third.response.json.refresh_token), "The honest holder is signed out, too, and notices.", { died: "the newest refresh token" });
  yield scene(APP, "asks the issuer who signed in", userinfo(context.metadata, third.response.json.access_token), "So is its access token, at the issuer.", { died: "the access token, at the issuer" });
}

/** *token* with some of its parts written anew and the signature of the old ones; one that cannot be read gets another end. */
function rewritten(token, header, claims, signature) {
  if (token.split(".").length !== 3) return `${token.slice(0, -4)}AAAA`;
  const read = (part) => JSON.parse(new TextDecoder().decode(fromBase64url(part)));
  const written = (members) => base64url(new TextEncoder().encode(JSON.stringify(members)));
  const [oldHeader, oldClaims, oldSignature] = token.split(".");
  return [written({ ...read(oldHeader), ...header }), written({ ...read(oldClaims), ...claims }), signature ?? oldSignature].join(".");
}

async function* forge(context) {
  const first = await redeem(context);
  yield first;
  const real = first.response.json.access_token;
  const call = (token, title, told, more) => scene(THIEF, title, bearerRequest(context.config.api, token), told, more);
  yield call(rewritten(real, {}, { scope: "notes:read notes:write admin" }), "writes more scopes into the token", "The claims are others, the signature is the old one.", verdict);
  yield call(rewritten(real, { alg: "none" }, {}, ""), "says that the token needs no signature", "`alg: none`: an old trick. The guard pins its algorithms.");
  yield call(real, "presents the token unchanged", "For comparison: what is signed opens the door. Bearer means bearer, so a token must not be stolen.");
}

async function* wrongToken(context) {
  const first = await redeem(context);
  yield first;
  const told = "Properly signed, by the right issuer, for the right person, but for another audience: the application.";
  yield scene(THIEF, "shows the API the ID token", bearerRequest(context.config.api, first.response.json.id_token), told, verdict);
}

const front = (change) => ({ needs: "answer", change });

/** `has` and `lacks` are what the thief holds when the attack begins. */
export const ATTACKS = [
  {
    id: "stripped_challenge",
    has: ["challenge"],
    lacks: ["verifier"],
    group: "On the way to the issuer",
    title: "Strip the challenge",
    told: "Somebody between app and issuer takes `code_challenge` out of the address, so that a bare code will do.",
    law: 1,
    ...front(() => ({ code_challenge: undefined, code_challenge_method: undefined })),
  },
  {
    id: "plain",
    has: ["verifier"],
    group: "On the way to the issuer",
    title: "Downgrade to plain",
    told: "The challenge is the verifier itself, unhashed: then whoever reads the address has both.",
    law: 1,
    ...front((secrets) => ({ code_challenge: secrets.verifier, code_challenge_method: "plain" })),
  },
  {
    id: "redirect_uri",
    has: ["challenge"],
    lacks: ["verifier"],
    group: "On the way to the issuer",
    title: "Send the code elsewhere",
    told: "`redirect_uri` is changed to an address of the thief's. Here it is one where this demo listens.",
    law: 6,
    needs: "window",
    change: (secrets, config) => ({ redirect_uri: `${config.home}/thief` }),
    slug: "redirect_uri_mismatch",
  },
  {
    id: "no_verifier",
    has: ["code"],
    lacks: ["verifier"],
    group: "With a stolen code",
    title: "Redeem it without the verifier",
    short: "Thief without verifier",
    told: "The thief read the code in an address and has nothing else.",
    law: 1,
    needs: "code",
    async *run(context) {
      yield stolen(context, { code_verifier: undefined }, "presents the code alone", "Client, address and code are right. The verifier is missing.");
      yield* unharmed(context);
    },
  },
  {
    id: "wrong_verifier",
    has: ["code"],
    lacks: ["verifier"],
    group: "With a stolen code",
    title: "Guess a verifier",
    short: "Thief who guesses",
    told: "The thief makes up a verifier of the right form, and hopes.",
    law: 1,
    needs: "code",
    async *run(context) {
      const guessed = base64url(crypto.getRandomValues(new Uint8Array(32)));
      yield stolen(context, { code_verifier: guessed }, "presents the code with a guess", "One chance in 2²⁵⁶.");
      yield* unharmed(context);
    },
  },
  {
    id: "redirect_uri_at_token",
    has: ["code", "verifier"],
    group: "With a stolen code",
    title: "Redeem it for another address",
    told: "Even with the verifier: the code belongs to the address that it was sent to.",
    law: 6,
    needs: "code",
    async *run(context) {
      yield stolen(context, { redirect_uri: `${context.config.home}/thief` }, "names its own address", "All is right but `redirect_uri`.");
      yield* unharmed(context);
    },
  },
  {
    id: "replayed_code",
    has: ["code", "verifier"],
    group: "With a stolen code",
    title: "Redeem it a second time",
    told: "The application was faster. Now the thief comes, with everything, the verifier included.",
    law: 2,
    alsoLaw: 10,
    needs: "code",
    run: replayCode,
  },
  {
    id: "replayed_refresh_token",
    has: ["refresh"],
    group: "With stolen tokens",
    title: "Replay a refresh token",
    told: "The thief copied the refresh token, and uses the copy after the application has moved on.",
    law: 5,
    alsoLaw: 10,
    needs: "code",
    run: replayRefresh,
  },
  {
    id: "forged_access_token",
    has: ["access"],
    group: "With stolen tokens",
    title: "Forge an access token",
    told: "The thief rewrites the claims, and then the algorithm.",
    law: "guard",
    needs: "code",
    run: forge,
  },
  {
    id: "other_audience",
    has: ["id"],
    lacks: ["access"],
    group: "With stolen tokens",
    title: "Use a token for somebody else",
    told: "The ID token is signed by the issuer, too. Does it open the API?",
    law: "guard",
    needs: "code",
    run: wrongToken,
  },
];
