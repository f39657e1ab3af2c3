// The only state: who is signed in, and which access tokens this tab holds. All tabs of one client agree on it.
//
// 1. Access tokens live in memory and travel between tabs by BroadcastChannel; the refresh token stays with the keeper.
// 2. Of two sessions the one signed in to later wins, in every tab; what is older than a sign-out never comes back.
// 3. Only the holder of the Web Lock refreshes. It saves, tells everybody, and then lets the lock go.
// 4. Only `invalid_grant` signs out. A lost answer is asked for again with the same refresh token.
import { ProofkeyError } from "./errors.js";
import { readClaims, type Claims } from "./id_token.js";
import { callHere, callKeeper } from "./keeper.js";
import type { AccessToken, Events, Handed, Messages } from "./messages.js";
import type { ClientOptions, Prover } from "./options.js";
import { readTokens } from "./protocol.js";
import { raiseMarker, readMarker } from "./storage.js";
import type { Known } from "./worker.js";

type All = Events & Messages & { heard: undefined };

const PEERS_ANSWER = 30;
const HOLDER_ANSWERS = 2_000;
// Pauses between attempts, in which a faster tab may be heard; within the 10 s in which issuers repeat a lost answer.
const RETRIES = [0, 150, 300, 500, 1000, 2000];
const NOTHING = 1; // as in worker.ts, whose code is not this bundle's
const ELSEWHERE = 2;
const OUT = /~$/;
const LONGEST_TIMER = 1e9; // a longer one would ring at once

/** The part of a token response that tabs share. */
export const readAccessToken = (body: Record<string, unknown>): AccessToken => ({
  accessToken: body.access_token as string,
  givenAt: Date.now(),
  life: ((body.expires_in as number) || 300) * 1e3,
});

export type Session = ReturnType<typeof openSession>;

/** The session of this tab. *defaultKey* is the form that asks for the access token of nothing in particular. */
export const openSession = (options: ClientOptions, name: string, prover: Prover, defaultKey: string) => {
  const { persist = true, renewAt = 0.75 } = options;
  const refreshing = "&grant_type=refresh_token&client_id=" + encodeURIComponent(options.clientId);
  const tokens = new Map<string, AccessToken>(); // by the form that asks for them
  const flights = new Map<string, Promise<AccessToken>>();
  const listeners = new Set<(event: string, told: unknown) => void>();
  const channel = new BroadcastChannel(name);
  const nobody = { id: "", user: null } as unknown as Handed;
  let here = nobody;
  let isHolder = persist; // with persist: false, only the tab of the login can refresh
  let saving: Promise<unknown> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const on = <E extends keyof All>(event: E, listener: (told: All[E]) => unknown): (() => void) => {
    const hearing = (happened: string, told: any): unknown => happened === event && listener(told);
    listeners.add(hearing);
    return () => listeners.delete(hearing);
  };

  const emit = <E extends keyof All>(event: E, told?: All[E]): void =>
    listeners.forEach((listener) => listener(event, told));

  const tell = <M extends keyof Messages>(message: M, told: Messages[M]): void => channel.postMessage([message, told]);

  /** Wait until *found* finds something or *duration* is over; it looks again at whatever this tab hears. */
  const hear = <T>(found: () => T, duration: number): Promise<T> =>
    new Promise((resolve) => {
      const finish = (): void => {
        off();
        resolve(found());
      };
      const off = on("heard", () => found() && finish());
      setTimeout(finish, duration);
    });

  const find = (key: string): AccessToken | null => {
    const held = tokens.get(key);
    return held && held.givenAt + held.life * 0.95 > Date.now() ? held : null;
  };

  const renewAhead = (): void => {
    clearTimeout(timer);
    const held = tokens.get(defaultKey);
    if (!renewAt || !held) return;
    timer = setTimeout(
      // All tabs wake at once, one gets the lock, and the others hear of it. A hidden page needs no token ahead of need.
      () => document.hidden || token(defaultKey, held).catch((error) => emit("error", error)),
      Math.min(held.life * renewAt + held.givenAt - Date.now(), LONGEST_TIMER),
    );
  };

  /** Take over what another tab, the keeper or a login says, unless this tab knows of something newer. */
  const adopt = ({ key = "", token: given, ...told }: Handed): void => {
    if (told.id < readMarker(name)) return;
    raiseMarker(name, told.id);
    const isAnother = told.id > here.id;
    if (isAnother) tokens.clear();
    if (isAnother || told.turn >= here.turn) here = told;
    const isNewer = given && given.givenAt > (tokens.get(key)?.givenAt ?? 0);
    if (isNewer) tokens.set(key, given);
    renewAhead();
    emit("heard");
    if (isAnother) emit("signedin", here.user);
    if (isNewer) emit("refreshed");
  };

  const share = <T extends AccessToken>(handed: Handed & { token: T }): T => {
    adopt(handed);
    tell("have", handed);
    return handed.token;
  };

  /** The end of the session *id*, in this tab. */
  const end = ([id, reason]: Messages["out"]): void => {
    raiseMarker(name, id + "~");
    if (!here.id || id < here.id) return;
    here = nobody;
    tokens.clear();
    clearTimeout(timer);
    emit("heard");
    emit("signedout", reason);
  };

  /** The end of the session, in every tab, asleep or awake; gives its id. */
  const signOut = (reason: string): string => {
    const id = here.id || readMarker(name);
    end([id, reason]);
    tell("out", [id, reason]);
    return id;
  };

  /** A tab that slept, or came back from the back/forward cache, may have missed a message: the marker tells. */
  const keepInStep = (): void => {
    if (here.id && here.id < readMarker(name)) end([here.id, OUT.test(readMarker(name)) ? "logout" : "replaced"]);
  };

  /** Learn from other tabs, or from the vault, of a session that is there. */
  const restore = async (key: string, found: () => unknown): Promise<void> => {
    const marker = readMarker(name);
    const isThere = marker && !OUT.test(marker);
    const kept = isThere && persist && callKeeper("renew", name);
    tell("ask", key);
    await hear(found, isThere && !isHolder ? HOLDER_ANSWERS : PEERS_ANSWER);
    const known = kept && !here.id && (await kept).known;
    if (known) adopt(known);
  };

  /** Who is signed in after a refresh: still the same person (OpenID Connect Core §12.2). */
  const readUser = (idToken: unknown, user: Claims | null): Claims | null => {
    if (!idToken) return user;
    const claims = readClaims(idToken as string, options); // from the token endpoint over TLS (§3.1.3.7, 6)
    if (user?.sub !== claims.sub) throw new ProofkeyError("id_token_sub_differs");
    return claims;
  };

  /** Refresh until there is an answer; called by whoever holds the lock. */
  const refresh = async (key: string, fresh: () => AccessToken | null): Promise<AccessToken> => {
    for (const pause of RETRIES) {
      const heard = pause && (await hear(fresh, pause));
      if (heard) return heard;
      const { id, turn, endpoint } = here;
      if (!id) break;
      const said = await prover.attempt("POST", endpoint, (headers) =>
        callKeeper("renew", name, { id, turn }, key + refreshing, headers),
      );
      const { status, known, body } = said;
      if (status === NOTHING || body?.error === "invalid_grant") {
        await callKeeper("drop", name, id);
        signOut("expired");
        break;
      } else if (status === ELSEWHERE) {
        // Somebody refreshed while we waited for the lock, or signed in anew: they have what we want.
        adopt(known!);
        tell("ask", key);
      } else if (status) {
        const tokens = readTokens(said, prover.type);
        return share({ ...known!, user: readUser(tokens.id_token, known!.user), key, token: readAccessToken(tokens) });
      }
    }
    throw new ProofkeyError(here.id ? "unavailable" : "login_required");
  };

  const renew = async (key: string, old: AccessToken | null): Promise<AccessToken> => {
    const fresh = (): AccessToken | null => {
      const held = find(key);
      return held === old ? null : held;
    };
    if (!here.id || !isHolder) await restore(key, fresh);
    const heard = fresh();
    if (heard) return heard;
    if (!isHolder) throw new ProofkeyError("login_required");
    return navigator.locks.request(name, async () => fresh() ?? refresh(key, fresh));
  };

  /** An access token for *key*, another one than *stale* (true: than the one here); all who ask at once share one answer. */
  const token = async (key: string, stale?: AccessToken | boolean): Promise<AccessToken> => {
    keepInStep();
    const held = find(key);
    if (held && stale !== true && held !== stale) return held;
    flights.set(key, flights.get(key) ?? renew(key, held).finally(() => flights.delete(key)));
    return flights.get(key)!;
  };

  channel.onmessage = ({ data: [message, told] }) => emit(message, told);
  on("have", adopt);
  on("out", end);
  on("ask", (key) => {
    const held = find(key);
    if (here.id) tell("have", { ...here, key, token: held });
    if (!persist && isHolder && !held) token(key).catch(() => 0);
  });

  return {
    token,
    hear,
    tell,
    on,
    signOut,
    /** What this tab knows without asking anybody. */
    current: () => here,

    /** Somebody signed in in this tab. */
    enter(known: Known, key: string, token: AccessToken, refreshToken: string | undefined): void {
      isHolder = true;
      share({ ...known, key, token });
      const call = persist ? callHere : callKeeper;
      saving = refreshToken ? call("save", name, known, refreshToken, persist) : call("drop", name, known.id);
    },

    /** Resolves when a reload would find the session. */
    saved: () => saving,

    /** Who is signed in, once tabs, vault and issuer were asked. */
    async user(): Promise<Claims | null> {
      await token(defaultKey).catch((error) => error.code === "login_required" || emit("error", error));
      return here.user;
    },
  };
};
