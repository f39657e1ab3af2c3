// Signing in: the request, the redirect or the window, and the answer that comes back.
//
// 1. One record per `state`: any number of logins can be under way, in any tabs, and end in any order.
// 2. A record is spent before anything is awaited, so an answer is redeemed once, whoever asks how often.
// 3. A window's result travels by BroadcastChannel, keyed by `state`; whether the window is closed is never asked:
//    with Cross-Origin-Opener-Policy it looks closed from the moment it leaves this origin.
import { ProofkeyError } from "./errors.js";
import { post } from "./http.js";
import { fetchKeys, verifyIdToken, type Claims } from "./id_token.js";
import type { Issuer } from "./issuer.js";
import type { ClientOptions, LoginOptions } from "./options.js";
import { challengeFor, mintSecret } from "./pkce.js";
import { formOf, readCallback, readTokens, stateOf, withQuery } from "./protocol.js";
import { readAccessToken, type Handed, type Session } from "./session.js";
import { findTransaction, keepTransaction, mintSessionId, readMarker, takeTransaction, type Transaction } from "./storage.js";
import type { Secret } from "./worker.js";

/** What a finished login gives back. */
export interface LoginResult {
  /** What `login({target})` was given. */
  target: unknown;
  /** Who signed in; null where no ID token was asked for. */
  user: Claims | null;
}

interface Redeemed {
  target: unknown;
  handed: Handed;
  secret: Secret | undefined;
}

const POPUP_PATIENCE = 600_000;
const OPENER_ANSWERS = 300;
const RESTARTED = "proofkey-restarted:";
const never = new Promise<never>(() => undefined);

// By client, for the whole page: two clients and a component mounted twice (React's StrictMode) share one redemption.
const redemptions = new Map<string, Promise<Redeemed | LoginResult>>();

export const openLogin = (options: ClientOptions, name: string, issuer: Issuer, session: Session) => {
  const { clientId, redirectUri, dpop, renewAt = 0.75 } = options;

  /** Write down a new login and say where the browser has to go. */
  const begin = async (asked: LoginOptions, state: string): Promise<string> => {
    const { popup = false, target, maxAge, resource = options.resource } = asked;
    const scope = asked.scope ?? options.scope ?? "openid";
    const [verifier, nonce] = [mintSecret(), mintSecret()];
    const [endpoints, challenge, thumbprint] = await Promise.all([
      issuer.endpoints(),
      challengeFor(verifier),
      dpop?.thumbprint(),
    ]);
    keepTransaction(state, {
      at: Date.now(),
      target,
      login: {
        name,
        verifier,
        nonce: /\bopenid\b/.test(scope) ? nonce : "",
        redirectUri,
        form: String(formOf({ resource })),
        endpoints: { ...endpoints },
        keys: issuer.keys,
        maxAge,
        popup,
      },
    });
    return withQuery(endpoints.authorization_endpoint, {
      prompt: asked.prompt,
      acr_values: asked.acrValues,
      max_age: maxAge,
      login_hint: asked.loginHint,
      ...asked.extra,
      resource,
      response_type: "code",
      client_id: clientId,
      redirect_uri: redirectUri,
      scope,
      state,
      nonce,
      code_challenge: challenge,
      code_challenge_method: "S256",
      dpop_jkt: thumbprint,
    });
  };

  const requestTokens = async (login: NonNullable<Transaction["login"]>, code: string): Promise<Record<string, unknown>> => {
    const url = login.endpoints.token_endpoint;
    const form = formOf({
      grant_type: "authorization_code",
      client_id: clientId,
      redirect_uri: login.redirectUri,
      code,
      code_verifier: login.verifier,
    });
    new URLSearchParams(login.form).forEach((value, key) => form.append(key, value));
    for (;;) {
      const answer = await post(url, form, dpop ? { DPoP: await dpop.proof("POST", url) } : {});
      // A code is presented once: only a server that asks for a nonce first has not looked at it (RFC 9449 §8).
      if (dpop?.remember(url, answer.nonce) && answer.body?.error === "use_dpop_nonce") continue;
      return readTokens(answer, dpop ? "DPoP" : "Bearer");
    }
  };

  /** Everything that happens to a spent record and its answer. Runs up to the token request without awaiting anything. */
  const redeem = async (url: string, state: string, { target, login }: Transaction): Promise<Redeemed> => {
    const { endpoints, nonce, maxAge } = login!;
    const iss = endpoints.authorization_response_iss_parameter_supported === true;
    const code = readCallback(url, { state, issuer: options.issuer, redirectUri: login!.redirectUri, issRequired: iss });
    const asked = requestTokens(login!, code);
    const { jwks_uri } = endpoints;
    const fetchThem = (cache?: RequestCache) => (jwks_uri ? fetchKeys(jwks_uri, cache) : Promise.resolve([]));
    const keys = login!.keys ?? (nonce ? fetchThem() : []);
    const body = await asked;
    const user = nonce
      ? await verifyIdToken(body.id_token, { issuer: options.issuer, clientId, nonce, maxAge }, keys, () => fetchThem("reload"))
      : undefined;
    const idToken = nonce ? String(body.id_token) : undefined;
    return {
      target,
      handed: {
        id: mintSessionId(name),
        turn: 0,
        idToken,
        user,
        key: login!.form,
        token: readAccessToken(body, renewAt),
      },
      secret: body.refresh_token
        ? { refreshToken: String(body.refresh_token), idToken, clientId, tokenEndpoint: endpoints.token_endpoint }
        : undefined,
    };
  };

  /** This tab takes over what was redeemed, by itself or by another client of the same page. */
  const take = (redeemed: Redeemed | LoginResult): LoginResult => {
    if ("handed" in redeemed) session.adopt(redeemed.handed);
    return { target: redeemed.target, user: ("handed" in redeemed ? redeemed.handed.user : redeemed.user) ?? null };
  };

  const finish = async (url: string, state: string, kept: Transaction): Promise<Redeemed> => {
    const redeemed = await redeem(url, state, kept);
    session.start(redeemed.handed, redeemed.secret);
    sessionStorage.removeItem(RESTARTED + name);
    return redeemed;
  };

  /** In a window: the page that opened it finishes; if it is gone, the window does. */
  const handOver = async (url: string, state: string): Promise<Redeemed | LoginResult> => {
    session.tell("callback", state, url);
    if (await session.hear(() => session.taken.has(state), OPENER_ANSWERS)) {
      close();
      // Still here: the browser does not let a page close this window. Then it is one more tab of the app.
      const user = await session.hear(() => session.now().user, 5_000);
      return { target: undefined, user: user ?? null };
    }
    const kept = takeTransaction(state);
    return kept?.login ? finish(url, state, kept) : restart(kept);
  };

  /** The answer of a login that nobody here began, or that was finished before: a bookmark, the back button. */
  const restart = async (kept: Transaction | undefined): Promise<LoginResult> => {
    const user = await session.user();
    if (session.now().id) return { target: kept?.target, user: user ?? null };
    if (sessionStorage.getItem(RESTARTED + name)) {
      sessionStorage.removeItem(RESTARTED + name);
      throw new ProofkeyError("transaction_lost", "This answer belongs to no login of this browser; restarting did not help");
    }
    sessionStorage.setItem(RESTARTED + name, "1");
    return login({ target: kept?.target });
  };

  const login = async (asked: LoginOptions = {}): Promise<LoginResult> => {
    const state = mintSecret();
    if (!asked.popup) {
      location.assign(await begin(asked, state));
      return never;
    }
    // Before anything is awaited, or the browser takes it for an advertisement.
    const opened = open("about:blank", "proofkey-" + state, "popup,width=480,height=720");
    if (!opened) throw new ProofkeyError("popup_blocked");
    const url = await begin(asked, state).catch((error) => {
      opened.close();
      throw error;
    });
    const answer = new Promise<string>((resolve, reject) => {
      session.popups.set(state, resolve);
      setTimeout(() => reject(new ProofkeyError("popup_timeout")), POPUP_PATIENCE);
    });
    opened.location.replace(url);
    try {
      const came = await answer;
      const kept = takeTransaction(state);
      if (!kept?.login) throw new ProofkeyError("transaction_lost");
      return take(await finish(came, state, kept));
    } finally {
      session.popups.delete(state);
    }
  };

  const handleCallback = async (): Promise<LoginResult | null> => {
    const state = stateOf(location.href, redirectUri);
    if (state) {
      const { href } = location;
      const isPopup = findTransaction(state)?.login?.popup;
      const kept = isPopup ? undefined : takeTransaction(state);
      const mine = kept?.login?.name === name;
      redemptions.set(name, isPopup ? handOver(href, state) : mine ? finish(href, state, kept!) : restart(kept));
      history.replaceState(history.state, "", redirectUri);
    }
    const redemption = redemptions.get(name);
    return redemption ? take(await redemption) : null;
  };

  return { login, handleCallback, isReturning: () => !!stateOf(location.href, redirectUri) || !!readMarker(name) };
};
