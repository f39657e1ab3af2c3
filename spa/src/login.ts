// Signing in: the request, the redirect or the window, and the answer that comes back.
//
// 1. One record per `state`: any number of logins can be under way, in any tabs, and end in any order.
// 2. A record is spent before anything is awaited, so an answer is redeemed once, whoever asks how often.
// 3. A window's result travels by BroadcastChannel, keyed by `state`; whether the window is closed is never asked:
//    with Cross-Origin-Opener-Policy it looks closed from the moment it leaves this origin.
import { ProofkeyError } from "./errors.js";
import { formOf } from "./http.js";
import { importKeys, verifyIdToken, type Claims, type Expected, type VerifyingKey } from "./id_token.js";
import { findKeys, type Issuer } from "./issuer.js";
import { callHere } from "./keeper.js";
import type { ClientOptions, LoginOptions, Prover } from "./options.js";
import { challengeFor, mint } from "./pkce.js";
import { addressOf, readCallback, stateOf } from "./protocol.js";
import { readAccessToken, type Session } from "./session.js";
import { findTransaction, keepTransaction, mintSessionId, takeTransaction, type Transaction } from "./storage.js";

/** What a finished login gives back. */
export interface LoginResult {
  /** What `login({target})` was given. */
  target: any;
  /** Who signed in. */
  user: Claims | null;
}

/** Asks the token endpoint at *url*. */
export type RequestTokens = (url: string, form: URLSearchParams) => Promise<Record<string, unknown>>;

const POPUP_PATIENCE = 600_000;
const OPENER_ANSWERS = 2_000;
const ONE_LOOP = 60_000;

// By client, for the whole page: two clients and a component mounted twice (React's StrictMode) share one redemption.
const settling = new Map<string, Promise<LoginResult>>();

export const openLogin = (
  options: ClientOptions,
  name: string,
  discover: () => Promise<Issuer>,
  { parameters }: Prover,
  session: Session,
  requestTokens: RequestTokens,
  keyOf: (asked: LoginOptions) => string,
) => {
  const { clientId, redirectUri } = options;

  /** Write down a new login and say where the browser has to go. */
  const begin = async (asked: LoginOptions, state: string): Promise<string> => {
    const { target, maxAge, popup, resource = options.resource ?? [], scope = options.scope ?? "openid" } = asked;
    const verifier = mint();
    const nonce = mint();
    const [issuer, challenge, proving] = await Promise.all([discover(), challengeFor(verifier), parameters?.()]);
    keepTransaction(state, { target, name, verifier, nonce, key: keyOf({ resource }), issuer, maxAge, popup });
    return addressOf(issuer.authorization_endpoint, {
      ...proving,
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
      code_challenge: challenge,
      code_challenge_method: "S256",
    });
  };

  /** Trade the code in *url* for tokens. Nothing is awaited before the request is on its way; keys come meanwhile. */
  const redeem = async (url: string, state: string, spent: Transaction): Promise<LoginResult> => {
    const { target, verifier, key, issuer } = spent as Required<Transaction>;
    const endpoint = issuer.token_endpoint;
    const code = readCallback(url, state, options, issuer.authorization_response_iss_parameter_supported);
    const asked = requestTokens(
      endpoint,
      formOf(
        { grant_type: "authorization_code", client_id: clientId, redirect_uri: redirectUri, code, code_verifier: verifier },
        key,
      ),
    );
    const prepare = async (again?: boolean): Promise<VerifyingKey[]> => importKeys(await findKeys(issuer, again));
    const keys = prepare();
    void callHere("renew", name); // wakes the vault up: there will be something to keep
    const body = await asked;
    const idToken = body.id_token as string;
    const user = await verifyIdToken(idToken, { ...spent, ...options } as Expected, (again) => (again ? prepare(again) : keys));
    const known = { id: mintSessionId(name), turn: 0, idToken, endpoint, user };
    session.enter(known, key!, readAccessToken(body), body.refresh_token as string | undefined);
    return { target, user };
  };

  /** What the answer in *url* comes to. */
  const settle = async (url: string, state: string): Promise<LoginResult> => {
    const isWaitedFor = (): unknown => findTransaction(state)?.popup;
    const isWindow = isWaitedFor();
    if (isWindow) {
      // The page that opened this window finishes; if it is gone, the window does.
      session.tell("callback", [state, url]);
      await session.hear(() => !isWaitedFor(), OPENER_ANSWERS);
    }
    const kept = takeTransaction(state);
    if (kept?.name === name) return redeem(url, state, kept);
    if (isWindow) close();
    // Nobody here began this login, or it was finished before: a bookmark, the back button, a cleared storage.
    const target = kept?.target;
    const user = await session.user();
    if (user) return { target, user };
    const now = Date.now();
    if (now - sessionStorage[name] < ONE_LOOP) throw new ProofkeyError("transaction_lost");
    sessionStorage[name] = now;
    return login({ target });
  };

  const login = async (asked: LoginOptions = {}): Promise<LoginResult> => {
    const state = mint();
    // Before anything is awaited, or the browser takes it for an advertisement.
    const opened = asked.popup && open("about:blank", state, "width=600,height=600");
    if (!opened) {
      if (asked.popup === true) throw new ProofkeyError("popup_blocked");
      location.assign(await begin({ ...asked, popup: false }, state));
      return new Promise(() => 0);
    }
    const url = await new Promise<string>((resolve, reject) => {
      session.on("callback", ([theirs, answer]) => theirs === state && resolve(answer));
      setTimeout(reject, POPUP_PATIENCE, new ProofkeyError("popup_timeout"));
      begin(asked, state)
        .then((address) => opened.location.replace(address))
        .catch(reject);
    }).finally(() => opened.close());
    return redeem(url, state, takeTransaction(state)!).finally(session.saved);
  };

  const handleCallback = async (): Promise<LoginResult | null> => {
    const state = stateOf(location.href, redirectUri);
    if (state) {
      settling.set(name, settle(location.href, state));
      history.replaceState(null, "", redirectUri);
    }
    return (await settling.get(name)?.finally(session.saved)) ?? null;
  };

  return {
    login,
    handleCallback,
    /** Once it is known what the answer that is being dealt with comes to. */
    settled: async (): Promise<unknown> => settling.get(name)?.catch(() => 0),
  };
};
