// The only state: who is signed in, and which access tokens this tab holds. All tabs of one client agree on it.
//
// 1. Access tokens live in memory and travel between tabs by BroadcastChannel; the refresh token stays with the keeper.
// 2. Of two sessions the one signed in to later wins, in every tab; what is older than a sign-out never comes back.
// 3. Only the holder of the Web Lock refreshes. It saves, tells everybody, and then lets the lock go.
// 4. Only `invalid_grant` signs out. A lost answer is asked for again with the same refresh token.
import type { Answer } from "./http.js";
import { ProofkeyError } from "./errors.js";
import { decodeClaims, readClaims, type Claims } from "./id_token.js";
import type { Issuer } from "./issuer.js";
import { callKeeper } from "./keeper.js";
import type { ClientOptions } from "./options.js";
import { readTokens } from "./protocol.js";
import { readMarker, writeMarker } from "./storage.js";
import type { Secret } from "./worker.js";

/** An access token as tabs hand it to each other. Moments in milliseconds since 1970. */
export interface AccessToken {
  value: string;
  /** `Bearer` or `DPoP`. */
  type: string;
  usableUntil: number;
  renewAt: number;
}

/** What one tab tells another: the session, and perhaps one access token and what it is for. */
export interface Handed {
  id: string;
  turn: number;
  idToken: string | undefined;
  user: Claims | undefined;
  key?: string;
  token?: AccessToken | undefined;
}

/** What happens to a session, and what listeners are told. */
export interface Events {
  /** Somebody is signed in, here or in another tab. */
  signedin: Claims | undefined;
  /** Nobody is any more: `logout`, `expired` or `replaced`. */
  signedout: string;
  /** There is a new access token. */
  refreshed: undefined;
  /** A renewal ahead of need failed; nobody was signed out. */
  error: unknown;
}

type Message =
  | ["ask", key: string]
  | ["have", Handed]
  | ["out", id: string, reason: string]
  | ["callback", state: string, url: string]
  | ["taken", state: string];

const PEERS_ANSWER = 30;
const FASTER_TAB_ANSWERS = 250;
const HOLDER_ANSWERS = 10_000;
const RETRIES = [100, 300, 600, 1000, 2000]; // all within the 10 s in which a lost answer is repeated
const NOBODY: Handed = { id: "", turn: 0, idToken: undefined, user: undefined };

const loginRequired = (): ProofkeyError => new ProofkeyError("login_required");
const sleep = (duration: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, duration));

/** The part of a token response that tabs share. */
export const readAccessToken = (body: Record<string, unknown>, renewAt: number): AccessToken => {
  const life = (Number(body.expires_in) || 300) * 1e3;
  const now = Date.now();
  return {
    value: body.access_token as string,
    type: String(body.token_type).toLowerCase() === "dpop" ? "DPoP" : "Bearer",
    usableUntil: now + life * 0.95,
    renewAt: now + life * (renewAt + Math.random() * 0.05), // not every tab at once
  };
};

export type Session = ReturnType<typeof openSession>;

/** The session of this tab. *defaultKey* is the form that asks for the access token of nothing in particular. */
export const openSession = (options: ClientOptions, name: string, issuer: Issuer, defaultKey: string) => {
  const { persist = true, renewAt = 0.75, dpop, clientId } = options;
  const tokens = new Map<string, AccessToken>(); // by the form that asks for them
  const flights = new Map<string, Promise<AccessToken>>();
  const listeners = new Map<string, Set<(told: any) => void>>();
  const hearing = new Set<() => void>();
  const popups = new Map<string, (url: string) => void>();
  const taken = new Set<string>();
  const channel = new BroadcastChannel("proofkey:" + name);
  const tell = (...message: Message): void => channel.postMessage(message);
  let here = NOBODY;
  let announced = "";
  let isHolder = false; // with persist: false, only the tab of the login can refresh
  let timer: ReturnType<typeof setTimeout> | undefined;

  const emit = <E extends keyof Events>(event: E, told: Events[E]): void =>
    listeners.get(event)?.forEach((listener) => listener(told));

  const find = (key: string): AccessToken | undefined => {
    const held = tokens.get(key);
    return held && held.usableUntil > Date.now() ? held : undefined;
  };

  /** Wait until *found* finds something or *duration* is over; it looks again at whatever this tab hears. */
  const hear = <T>(found: () => T, duration: number): Promise<T> =>
    new Promise((resolve) => {
      const finish = (): void => {
        hearing.delete(check);
        resolve(found());
      };
      const check = (): void => void (found() && finish());
      hearing.add(check);
      setTimeout(finish, duration);
      check();
    });

  const renewAhead = (): void => {
    clearTimeout(timer);
    const held = tokens.get(defaultKey);
    if (!renewAt || !held) return;
    // A hidden page needs no token ahead of need.
    const renew = (): unknown => document.hidden || token(defaultKey, held).catch((error) => emit("error", error));
    timer = setTimeout(renew, Math.min(Math.max(held.renewAt - Date.now(), 0), 2 ** 31 - 1));
  };

  /** Take over what another tab, the keeper or a login says, unless this tab knows of something newer. */
  const adopt = ({ key, token: given, ...told }: Handed): void => {
    const marker = readMarker(name);
    if (told.id < here.id || told.id < marker) return;
    if (told.id !== marker) writeMarker(name, told.id);
    if (told.id !== here.id) tokens.clear();
    if (told.id !== here.id || told.turn >= here.turn) here = told;
    const held = tokens.get(key!);
    const isBetter = given && given.value !== held?.value && !(held && held.usableUntil > given.usableUntil);
    if (isBetter) tokens.set(key!, given);
    renewAhead();
    hearing.forEach((check) => check());
    if (announced !== here.id) {
      announced = here.id;
      emit("signedin", here.user);
    }
    if (isBetter) emit("refreshed", undefined);
  };

  const forget = (reason: string): void => {
    const was = here.id;
    here = NOBODY;
    announced = "";
    tokens.clear();
    clearTimeout(timer);
    hearing.forEach((check) => check());
    if (was) emit("signedout", reason);
  };

  /** The end of the session *id*, known to every tab, asleep or awake. */
  const end = (id: string, reason: string): void => {
    if (id && readMarker(name) <= id) writeMarker(name, id + "!");
    if (id >= here.id) forget(reason);
  };

  const signOut = (reason: string): void => {
    const id = here.id || readMarker(name).replace("!", "");
    end(id, reason);
    tell("out", id, reason);
  };

  /** A tab that slept, or came back from the back/forward cache, may have missed a message: the marker tells. */
  const keepInStep = (): void => {
    const marker = readMarker(name);
    if (here.id && marker > here.id) forget(marker.endsWith("!") ? "logout" : "replaced");
  };

  /** Learn of a session that other tabs or the vault have. */
  const restore = async (key: string, found: () => unknown): Promise<void> => {
    const marker = readMarker(name);
    const kept = persist && marker && !marker.endsWith("!") ? callKeeper("peek", name) : undefined;
    tell("ask", key);
    await hear(found, PEERS_ANSWER);
    const known = !here.id && (await kept);
    if (known && !here.id) here = { ...known, user: known.idToken ? decodeClaims(known.idToken) : undefined };
  };

  const readRenewed = (answer: Answer, kept: string | undefined): Pick<Handed, "user" | "token"> => {
    const body = readTokens(answer, dpop ? "DPoP" : "Bearer");
    let user = kept === undefined ? undefined : decodeClaims(kept);
    if (typeof body.id_token === "string") {
      // It came from the token endpoint over TLS (OpenID Connect Core §3.1.3.7, 6); the person must be the same (§12.2).
      const claims = readClaims(body.id_token, { issuer: options.issuer, clientId });
      if (user && claims.sub !== user.sub) throw new ProofkeyError("id_token_sub_differs");
      user = claims;
    }
    return { user, token: readAccessToken(body, renewAt) };
  };

  /** Refresh until there is an answer; called by whoever holds the lock. */
  const refresh = async (key: string, fresh: () => AccessToken | undefined): Promise<AccessToken> => {
    for (let lost = 0; ; ) {
      const { id, turn } = here;
      if (!id) throw loginRequired();
      const url = dpop ? (await issuer.endpoints()).token_endpoint : "";
      const said = await callKeeper("renew", name, { id, turn }, key, dpop ? { DPoP: await dpop.proof("POST", url) } : {});
      if (!said) {
        signOut("expired");
        continue;
      }
      if ("moved" in said) {
        // Somebody refreshed while we waited for the lock, or signed in anew: they have what we want.
        tell("ask", key);
        const heard = await hear(fresh, FASTER_TAB_ANSWERS);
        if (heard) return heard;
        if (said.moved.id > here.id) tokens.clear();
        if (said.moved.id >= here.id) here = { ...here, ...said.moved };
        continue;
      }
      const { answer, ...known } = said;
      const { status, body, nonce, after } = answer;
      if (status === 200 && body) {
        const handed = { ...known, ...readRenewed(answer, known.idToken), key };
        adopt(handed);
        tell("have", handed);
        return handed.token!;
      }
      if (body?.error === "invalid_grant") {
        await callKeeper("drop", name, id, undefined);
        signOut("expired");
        continue;
      }
      const isNonce = dpop?.remember(url, nonce) && body?.error === "use_dpop_nonce";
      if (lost >= RETRIES.length || after > HOLDER_ANSWERS || (body?.error && status < 500 && status !== 429 && !isNonce)) {
        readTokens(answer, "");
      }
      await sleep(isNonce ? 0 : after || RETRIES[lost]!);
      lost++;
    }
  };

  const renew = async (key: string, old: AccessToken | undefined): Promise<AccessToken> => {
    const fresh = (): AccessToken | undefined => {
      const held = find(key);
      return held?.value === old?.value ? undefined : held;
    };
    if (!here.id) await restore(key, fresh);
    const heard = fresh();
    if (heard) return heard;
    if (!here.id) throw loginRequired();
    if (persist || isHolder) {
      return navigator.locks.request("proofkey:" + name, async () => fresh() ?? refresh(key, fresh));
    }
    tell("ask", key);
    const handed = await hear(fresh, HOLDER_ANSWERS);
    if (!handed) throw loginRequired();
    return handed;
  };

  /** An access token for *key*, another one than *stale*; all who ask at once share one answer. */
  const token = async (key: string, stale?: AccessToken): Promise<AccessToken> => {
    keepInStep();
    const held = find(key);
    if (held && held.value !== stale?.value) return held;
    let flight = flights.get(key);
    if (!flight) {
      flight = renew(key, held).finally(() => flights.delete(key));
      flights.set(key, flight);
    }
    return flight;
  };

  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    switch (data[0]) {
      case "ask": {
        keepInStep();
        const held = find(data[1]);
        if (here.id) tell("have", { ...here, key: data[1], token: held });
        if (isHolder && !held) token(data[1]).catch(() => undefined);
        break;
      }
      case "have":
        adopt(data[1]);
        break;
      case "out":
        end(data[1], data[2]);
        break;
      case "callback": {
        const finish = popups.get(data[1]);
        if (finish) tell("taken", data[1]);
        finish?.(data[2]);
        break;
      }
      case "taken":
        taken.add(data[1]);
        hearing.forEach((check) => check());
    }
  };

  return {
    adopt,
    token,
    hear,
    tell,
    popups,
    taken,
    signOut,
    /** What this tab knows without asking anybody. */
    now: () => here,

    /** Somebody signed in in this tab. */
    start(handed: Handed, secret: Secret | undefined): void {
      isHolder = !persist;
      if (secret) void callKeeper("save", name, persist, { id: handed.id, turn: 0 }, secret);
      adopt(handed);
      tell("have", handed);
    },

    /** Who is signed in, once tabs, vault and issuer were asked. */
    async user(): Promise<Claims | undefined> {
      keepInStep();
      if (!tokens.has(defaultKey)) {
        await token(defaultKey).catch((error) => error.code === "login_required" || emit("error", error));
      }
      return here.user;
    },

    on<E extends keyof Events>(event: E, listener: (told: Events[E]) => void): () => void {
      const all = listeners.get(event) ?? new Set();
      listeners.set(event, all.add(listener));
      return () => all.delete(listener);
    },
  };
};
