// The attacks. Each is really sent to the real server; what is shown is what came back. The one exception is the changed
// redirect_uri: its answer stays in another tab, where this page cannot read it, and says so.
//
// An attack that needs a code sends the browser to the issuer for one of its own, so that the walk above stays whole.
// `run` yields scenes: what was sent, what came back, and whether this is the moment of truth. Where a line of a message is not
// what it usually is, the scene says so: `asked` and `answered`, by the line's name.

import { base64url, bearerRequest, fromBase64url, redemption, tokenRequest } from "./flow.js";
import { send } from "./http.js";
import { LIVES } from "./lifetimes.js";
import { THIEF_ASKED } from "./notes.js";

const APP = "The application";
const THIEF = "The thief";

async function scene(who, title, { kind, request }, told, { asked, ...more } = {}) {
  const usual = who === THIEF ? THIEF_ASKED : {};
  return { who, title, told, kind, asked: { ...usual, ...asked }, ...(await send(request)), ...more };
}

const verdict = { isVerdict: true };

const redeeming = ({ config, metadata, answer, secrets }, changes = {}) => ({
  kind: "redemption",
  request: tokenRequest(metadata, { ...redemption(config, answer.code, secrets.verifier), ...changes }),
});

const refreshing = ({ config, metadata }, token) => ({
  kind: "refresh",
  request: tokenRequest(metadata, { grant_type: "refresh_token", client_id: config.client_id, refresh_token: token }),
});

const asking = ({ metadata }, token) => ({ kind: "userinfo", request: bearerRequest(metadata.userinfo_endpoint, token) });

const calling = ({ config }, token) => ({ kind: "call", request: bearerRequest(config.api, token) });

const redeem = (context) => scene(APP, "redeems its code", redeeming(context), "The application is quick and gets its tokens.");

const stolen = (context, changes, title, told, asked) => scene(THIEF, title, redeeming(context, changes), told, { ...verdict, asked });

/** After an attack that must not have spent the code. */
async function* unharmed(context) {
  if (context.isInline) return;
  const kept = await redeem(context);
  yield { ...kept, title: "redeems the same code afterwards", told: "The attack changed nothing: a thief cannot burn what is not theirs." };
}

async function* replayCode(context) {
  const first = await redeem(context);
  yield first;
  yield stolen(context, {}, "presents the same code", "The thief even has the verifier. Everything is right but one thing: the code was spent.", {
    code: "The ticket that the application spent a moment ago.",
    code_verifier: "The right one: suppose that the thief has it.",
  });
  const { access_token: access, refresh_token: refresh } = first.response.json;
  yield scene(APP, "asks the issuer who signed in", asking(context, access), "The access token of the first redemption: dead at the issuer, at once.", {
    died: "the access token, at the issuer",
    asked: { Authorization: "The access token that the application got for the code. Its grant has ended." },
  });
  yield scene(APP, "refreshes", refreshing(context, refresh), "Its refresh token: dead as well.", {
    died: "the refresh token",
    asked: { refresh_token: "The one that the application got for the code. Its grant has ended." },
  });
  yield scene(APP, "calls the API", calling(context, access), "The API checks offline and asks nobody: there the token lives out its {access_token}, and cannot be renewed.", {
    outlived: "the access token, at the API, for at most {access_token}",
  });
}

async function* replayRefresh(context) {
  const first = await redeem(context);
  yield first;
  const stolenToken = first.response.json.refresh_token;
  const second = await scene(APP, "refreshes", refreshing(context, stolenToken), "The token is replaced by its successor.");
  yield second;
  if (LIVES.refresh_leeway > 0) yield scene(APP, "refreshes with the old token, at once", refreshing(context, stolenToken), "As if the answer had been lost on the way. Within {refresh_leeway}, while the successor is unused, the same successor comes again: nobody is signed out by a bad network.", {
    asked: { refresh_token: "The one that was replaced just now." },
    answered: { refresh_token: "The same successor once more." },
  });
  const third = await scene(APP, "refreshes with the successor", refreshing(context, second.response.json.refresh_token), "The successor is used: its predecessor can have no honest use any more.", {
    asked: { refresh_token: "The successor." },
  });
  yield third;
  yield scene(THIEF, "presents a copy of the first token", refreshing(context, stolenToken), "One of the two holders is a thief. The issuer cannot know which, and ends it for both.", {
    ...verdict,
    asked: { refresh_token: "A copy of the first one, which was replaced, and whose successor was used." },
  });
  yield scene(APP, "refreshes with its newest token", refreshing(context, third.response.json.refresh_token), "The honest holder is signed out, too, and notices.", {
    died: "the newest refresh token",
    asked: { refresh_token: "The newest one, never used before. Its family has ended." },
  });
  yield scene(APP, "asks the issuer who signed in", asking(context, third.response.json.access_token), "So is its access token, at the issuer.", {
    died: "the access token, at the issuer",
    asked: { Authorization: "The newest access token. Its grant has ended." },
  });
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
  const call = (token, title, told, authorization, more) =>
    scene(THIEF, title, calling(context, token), told, { asked: { Authorization: authorization }, ...more });
  yield call(rewritten(real, {}, { scope: "notes:read notes:write admin" }), "writes more scopes into the token", "The claims are others, the signature is the old one.", "A forgery: claims of the thief's, under the signature of the real token.", verdict);
  yield call(rewritten(real, { alg: "none" }, {}, ""), "says that the token needs no signature", "`alg: none`: an old trick. The guard pins its algorithms.", "A forgery without a signature.");
  yield call(real, "presents the token unchanged", "For comparison: what is signed opens the door. Bearer means bearer, so a token must not be stolen.", "The access token itself, stolen.");
}

async function* wrongToken(context) {
  const first = await redeem(context);
  yield first;
  const told = "Properly signed, by the right issuer, for the right person, but for another audience: the application.";
  yield scene(THIEF, "shows the API the ID token", calling(context, first.response.json.id_token), told, {
    ...verdict,
    asked: { Authorization: "The ID token, where the access token should stand." },
  });
}

const NOTHING_COMES = {
  scope: "What the application would like to do. Nobody is asked.",
  nonce: "Would come back inside the ID token. There will be none.",
};

const front = (change, asked = {}) => ({ needs: "answer", change, asked: { ...NOTHING_COMES, ...asked } });

/** `has` and `lacks` are what the thief holds when the attack begins; `asked` is what is to be said of the changed request. */
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
    ...front((secrets) => ({ code_challenge: secrets.verifier, code_challenge_method: "plain" }), {
      code_challenge: "The verifier itself, in clear: whoever reads this address has it.",
      code_challenge_method: "Not hashed at all. The issuer refuses it.",
    }),
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
    asked: {
      ...NOTHING_COMES,
      redirect_uri: "The thief's address. Nobody registered it, so nothing goes there.",
      state: "Would come back unchanged. Nothing comes back.",
    },
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
      yield stolen(context, { code_verifier: undefined }, "presents the code alone", "Client, address and code are right. The verifier is missing.", {
        code: "Read in an address: a ticket, and nothing that goes with it.",
      });
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
      yield stolen(context, { code_verifier: guessed }, "presents the code with a guess", "One chance in 2²⁵⁶.", {
        code: "Read in an address.",
        code_verifier: "A guess: other random bytes, whose hash is another one.",
      });
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
      yield stolen(context, { redirect_uri: `${context.config.home}/thief` }, "names its own address", "All is right but `redirect_uri`.", {
        redirect_uri: "The thief's own address, not the one that the code was sent to.",
        code_verifier: "The right one: suppose that the thief has it.",
      });
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
