// Signing in: the request, the redirect or the window, and the answer that comes back.
//
// 1. One record per `state`: any number of logins can be under way, in any tabs, and end in any order.
// 2. A record is spent before anything is awaited, so an answer is redeemed once, whoever asks how often.
// 3. A window's result travels by BroadcastChannel, keyed by `state`; whether the window is closed is never asked:
//    with Cross-Origin-Opener-Policy it looks closed from the moment it leaves this origin. The page that waits for it holds
//    a Web Lock called `state`: whoever gets the lock knows that it is done, or gone. (Pages in different processes may see
//    each other's records a moment later; locks they see at once.)
import { ProofkeyError } from "./errors.js";
import { formOf } from "./http.js";
import { importKeys, verifyIdToken, type Claims, type Expected, type VerifyingKey } from "./id_token.js";
import { findKeys, type Issuer } from "./issuer.js";
import { ask, callHere } from "./keeper.js";
import type { ClientOptions, LoginOptions, Prover } from "./options.js";
import { challengeFor, mint } from "./pkce.js";
import { addressOf, isSafe, readCallback, readTokens, safe, stateOf } from "./protocol.js";
import { readAccessToken, type Session } from "./session.js";
import { findTransaction, isOut, keepTransaction, mintSessionId, takeTransaction, type Transaction } from "./storage.js";

/** What a finished login gives back. */
export interface LoginResult {
  /** What `login({target})` was given. */
  target: any;
  /** Who signed in. */
  user: Claims | null;
}

const POPUP_PATIENCE = 600_000;

// By client, for the whole page: two clients and a component mounted twice (React's StrictMode) share one redemption.
const settling: Record<string, Promise<LoginResult>> = {};

export const openLogin = (
  options: ClientOptions,
  name: string,
  discover: () => Promise<Issuer>,
  prover: Prover,
  session: Session,
  keyOf: (asked: LoginOptions) => string,
) => {
  const { clientId, redirectUri } = options;

  /** Write down a new login and say where the browser has to go. */
  const begin = async (asked: LoginOptions, state: string): Promise<string> => {
    const { target, maxAge, popup, resource = options.resource ?? [], scope = options.scope ?? "openid" } = asked;
    const verifier = mint();
    const nonce = mint();
    const issuer = await discover();
    keepTransaction(state, { target, name, verifier, nonce, key: keyOf({ resource }), issuer, maxAge, popup });
    return addressOf(issuer.authorization_endpoint, {
      ...(await prover.parameters?.()),
      prompt: asked.prompt,
      acr_values: asked.acrValues,
      login_hint: asked.loginHint,
      ...asked.extra,
      max_age: maxAge,
      resource,
      response_type: "code",
      client_id: clientId,
      redirect_uri: redirectUri,
      scope,
      state,
      nonce,
      code_challenge: await challengeFor(verifier),
      code_challenge_method: "S256",
    });
  };

  /** Trade the code in *url* for tokens. Nothing is awaited before the request is on its way; keys come meanwhile. */
  const redeem = async (url: string, state: string, spent: Transaction): Promise<LoginResult> => {
    const { target, verifier, key, issuer } = spent as Required<Transaction>;
    const { token_endpoint: endpoint, revocation_endpoint: revocation } = issuer;
    const code = readCallback(url, state, options, issuer.authorization_response_iss_parameter_supported);
    const form = formOf(
      { grant_type: "authorization_code", client_id: clientId, redirect_uri: redirectUri, code, code_verifier: verifier },
      key,
    );
    const asked = prover.attempt("POST", endpoint, (headers) => ask(safe(endpoint), { body: form, headers }));
    const prepare = async (again?: boolean): Promise<VerifyingKey[]> => importKeys(await findKeys(issuer, again));
    const keys = prepare();
    void callHere("renew", name); // wakes the vault up: there will be something to keep
    const body = readTokens(await asked, prover.type);
    const idToken = body.id_token as string;
    const user = await verifyIdToken(idToken, { ...spent, ...options } as Expected, (again) => (again ? prepare(again) : keys));
    const known = { id: mintSessionId(name), turn: 0, idToken, endpoint, revocation: isSafe(revocation) && revocation, user };
    session.enter(known, key!, readAccessToken(body), body.refresh_token as string | undefined);
    return { target, user };
  };

  /** Go to the issuer. */
  const leave = async (asked: LoginOptions, state: string): Promise<never> => {
    location.assign(await begin({ ...asked, popup: false }, state));
    return new Promise(() => 0);
  };

  /** What the answer in *url* comes to: in the page that asked, or in the window that came back. */
  const finish = async (url: string, state: string, isWindow?: unknown): Promise<LoginResult> => {
    const kept = takeTransaction(state);
    if (kept?.name === name) return redeem(url, state, kept);
    if (isWindow) close();
    // It was finished before, or its record is lost: a bookmark, the back button, a cleared storage.
    const target = kept?.target;
    const user = await session.user();
    if (user) return { target, user };
    // Once more, by itself, but what is begun here only once; and nobody else's address signs in who signed out here.
    if ((isOut(name) && !kept) || sessionStorage[name] === state) throw new ProofkeyError("transaction_lost");
    return leave({ target }, (sessionStorage[name] = mint()));
  };

  const settle = async (url: string, state: string): Promise<LoginResult> => {
    const isWindow = findTransaction(state)?.popup;
    if (isWindow) {
      // The page that opened this window finishes; if it is gone, the window does.
      session.tell("callback", [state, url]);
      await navigator.locks.request(state, () => 0);
    }
    return finish(url, state, isWindow);
  };

  const login = async (asked: LoginOptions = {}): Promise<LoginResult> => {
    const state = mint();
    // Before anything is awaited, or the browser takes it for an advertisement.
    const opened = asked.popup && open("", "", "width=600");
    if (!opened) {
      if (asked.popup === true) throw new ProofkeyError("popup_blocked");
      return leave(asked, state);
    }
    opened.opener = null; // or the pages shown there could send this one elsewhere
    return navigator.locks.request(state, async () => {
      let timer: ReturnType<typeof setTimeout>;
      let off: () => unknown;
      const url = await new Promise<string>((resolve, reject) => {
        off = session.on("callback", ([theirs, answer]) => theirs === state && resolve(answer));
        timer = setTimeout(reject, POPUP_PATIENCE, new ProofkeyError("popup_timeout"));
        begin(asked, state)
          .then((address) => opened.location.replace(address), reject);
      }).finally(() => {
        clearTimeout(timer);
        opened.close();
        off();
      });
      return finish(url, state).finally(session.saved);
    });
  };

  session.on("signedout", () => delete settling[name]);

  const handleCallback = async (): Promise<LoginResult | null> => {
    const state = stateOf(location.href, redirectUri);
    if (state) {
      settling[name] = settle(location.href, state);
      history.replaceState(null, "", redirectUri);
    }
    return (await settling[name]?.finally(session.saved)) ?? null;
  };

  return {
    login,
    handleCallback,
    /** Once it is known what the answer that is being dealt with comes to. */
    settled: async (): Promise<unknown> => settling[name]?.catch(() => 0),
  };
};
