// The only state: who is signed in, and which access tokens this tab holds. All tabs of one client agree on it.
//
// 1. Access tokens live in memory and travel between tabs by BroadcastChannel; the refresh token stays with the keeper.
// 2. Of two sessions the one signed in to later wins, in every tab; what is older than a sign-out never comes back.
// 3. Only the holder of the Web Lock refreshes. It saves, tells everybody, and then lets the lock go.
// 4. Only `invalid_grant` signs out. A lost answer is asked for again with the same refresh token, a late one beside the request
//    that is under way; never later than issuers repeat an answer, and a refusal counts once no other answer can come.
import { ProofkeyError } from "./errors.js";
import { formOf } from "./http.js";
import { readClaims, type Claims } from "./id_token.js";
import { callHere, callKeeper } from "./keeper.js";
import type { AccessToken, Events, Handed, Messages } from "./messages.js";
import type { ClientOptions, Prover } from "./options.js";
import { readTokens } from "./protocol.js";
import { isOut, raiseMarker, readMarker } from "./storage.js";
import type { Known } from "./worker.js";

/** None is as good as one that has expired. */
type Found = AccessToken | false | undefined;

type All = Events & Messages & { [HEARD]: undefined };

const HEARD = ""; // the event that something may have come
const PEERS_ANSWER = 30;
const HOLDER_ANSWERS = 2_000;
// Pauses behind attempts that came to nothing, in which a faster tab may be heard; the last is followed by none.
const RETRIES = [150, 300, 500, 1000, 2000, 0];
// After this long one more is sent beside it; none when 10 s since the first are near, in which issuers repeat an answer.
const BESIDE = 4_250;
const LAST_SENDING = 9_000;
const LONGEST_ANSWER = 30_000;
const LONGEST_TIMER = 1e9; // a longer one would ring at once

/** The part of a token response that tabs share. */
export const readAccessToken = (body: Record<string, unknown>): AccessToken => ({
  accessToken: body.access_token as string,
  givenAt: Date.now(),
  life: ((body.expires_in as number) >= 1 ? (body.expires_in as number) : 300) * 1e3, // what nobody can live with is not said
});

export type Session = ReturnType<typeof openSession>;

/** The session of this tab. *defaultKey* is the form that asks for the access token of nothing in particular. */
export const openSession = (options: ClientOptions, name: string, prover: Prover, defaultKey: string) => {
  const { persist = true, renewAt = 0.75 } = options;
  const flights: Record<string, Promise<AccessToken>> = {}; // by the form that asks for a token
  const listeners = new Set<(event: string, told: unknown) => void>();
  const channel = new BroadcastChannel(name);
  const nobody = { id: "", user: null } as unknown as Handed;
  let tokens: Record<string, AccessToken | undefined> = {}; // likewise
  let here = nobody;
  let isHolder = persist; // with persist: false, only the tab of the login can refresh
  let saving: Promise<unknown> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const on = <E extends keyof All>(event: E, listener: (told: All[E]) => unknown): (() => void) => {
    // Asynchronous, so that what a listener throws is reported to the page and stops nothing here.
    const hearing = async (happened: string, told: any): Promise<unknown> => happened === event && listener(told);
    listeners.add(hearing);
    return () => listeners.delete(hearing);
  };

  const emit = <E extends keyof All>(event: E, told?: All[E]): void =>
    listeners.forEach((listener) => listener(event, told));

  const tell = <M extends keyof Messages>(message: M, told: Messages[M]): void => channel.postMessage([message, told]);

  const tellError = (error: unknown): void => emit("error", error);

  /** Wait until *found* finds something or *duration* is over; it looks again at whatever this tab hears. */
  const hear = (found: () => unknown, duration: number): Promise<unknown> =>
    new Promise((resolve) => {
      const finish = (): void => resolve(off());
      const off = on(HEARD, () => found() && finish());
      setTimeout(finish, duration);
      emit(HEARD);
    });

  const find = (key: string): Found => {
    const held = tokens[key];
    return held && held.givenAt + held.life * 0.95 > Date.now() && held;
  };

  const renewAhead = (): void => {
    clearTimeout(timer);
    const held = tokens[defaultKey];
    if (!renewAt || !held) return;
    timer = setTimeout(
      // All tabs wake at once, one gets the lock, and the others hear of it. A hidden page needs no token ahead of need.
      () => document.hidden || token(defaultKey, held).catch(tellError),
      Math.min(held.life * renewAt + held.givenAt - Date.now(), LONGEST_TIMER),
    );
  };

  /** Take over what another tab, the keeper or a login says, unless this tab knows of something newer. */
  const adopt = ({ key, token: given, ...told }: Handed): void => {
    if (told.id < readMarker(name)) return;
    raiseMarker(name, told.id);
    const isAnother = told.id > here.id;
    if (isAnother) tokens = {};
    if (isAnother || told.turn >= here.turn) here = told;
    const isNewer = given && given.givenAt > (tokens[key!]?.givenAt ?? 0);
    if (isNewer) tokens[key!] = given;
    renewAhead();
    emit(HEARD);
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
    tokens = {};
    clearTimeout(timer);
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
    if (here.id && here.id < readMarker(name)) end([here.id, isOut(name) ? "logout" : "replaced"]);
  };

  /**
   * After a refresh it is still the same person (OpenID Connect Core §12.2). What the ID token of the sign-in said of them
   * stays: one for less scope says less.
   */
  const checkUser = (idToken: unknown, user: Claims | null): void => {
    // From the token endpoint over TLS (§3.1.3.7, 6).
    if (idToken && readClaims(idToken as string, options).sub !== user?.sub) throw new ProofkeyError("id_token_sub_differs");
  };

  /** Another access token for *key* than *old*: whoever has one, or the issuer. */
  const renew = async (key: string, old: Found): Promise<AccessToken> => {
    const refusals: Record<string, any> = {}; // by the session that was refused: a sign-in meanwhile begins another
    let got: Found;
    let running = 0;

    const found = (): Found => {
      const held = find(key);
      return (got ||= held !== old && held);
    };
    const isOver = (): unknown => found() || refusals[here.id];
    const isQuiet = (): unknown => found() || !running;

    /** Learn from other tabs, or from the vault, of a session that is there. */
    const restore = async (): Promise<void> => {
      const isThere = readMarker(name) && !isOut(name);
      const kept = isThere && persist && callKeeper("renew", name);
      tell("ask", key);
      await hear(found, isThere && !isHolder ? HOLDER_ANSWERS : PEERS_ANSWER);
      const known = kept && !here.id && (await kept).known;
      if (known) adopt(known);
    };

    /** One refresh request, and a pause behind it where it comes to nothing. */
    const attempt = async (pause: number, expected = here): Promise<void> => {
      running++;
      try {
        const said = await prover.attempt("POST", expected.endpoint, (headers) =>
          callKeeper("renew", name, expected, "" + formOf({ grant_type: "refresh_token", client_id: options.clientId }, key), headers),
        );
        const { known, body } = said;
        if (known && !body) {
          // Somebody refreshed while we waited for the lock, or signed in anew: they have what we want.
          adopt(known);
          tell("ask", key);
        } else {
          const tokens = readTokens(said, prover.type);
          checkUser(tokens.id_token, known!.user);
          got = share({ ...known!, key, token: readAccessToken(tokens) });
        }
      } catch (error: any) {
        if (error.code !== "unavailable") refusals[expected.id] = error;
      }
      await hear(isOver, pause);
      running--;
      emit(HEARD);
    };

    /** Refresh until there is an answer; called by whoever holds the lock. */
    const refresh = async (): Promise<AccessToken> => {
      const began = Date.now();
      for (const pause of RETRIES) {
        if (!here.id || Date.now() - began > LAST_SENDING || isOver()) break;
        void attempt(pause);
        await hear(isQuiet, BESIDE);
      }
      await hear(isQuiet, LONGEST_ANSWER);
      if (got) return got;
      if (refusals[here.id]?.code === "invalid_grant") await callKeeper("drop", name, signOut("expired"));
      throw refusals[here.id] ?? new ProofkeyError(here.id ? "unavailable" : "login_required");
    };

    if (!here.id || !isHolder) await restore();
    if (found()) return got as AccessToken;
    if (!isHolder) throw new ProofkeyError("login_required");
    return navigator.locks.request(name, () => found() || refresh());
  };

  /** An access token for *key*, another one than *stale* (true: than the one here); all who ask at once share one answer. */
  const token = async (key: string, stale?: AccessToken | boolean): Promise<AccessToken> => {
    keepInStep();
    const held = find(key);
    if (held && stale !== true && held !== stale) return held;
    return (flights[key] ??= renew(key, held).finally(() => delete flights[key]));
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
    tell,
    on,
    signOut,
    /** What this tab knows without asking anybody. */
    current: () => here,

    /** Somebody signed in in this tab. */
    enter(known: Known, key: string, token: AccessToken, refreshToken: string | undefined): void {
      isHolder = true;
      share({ ...known, key, token });
      saving = (persist ? callHere : callKeeper)("save", name, known, refreshToken, persist);
    },

    /** Resolves when a reload would find the session. */
    saved: () => saving,

    /** Who is signed in, once tabs, vault and issuer were asked. */
    async user(): Promise<Claims | null> {
      await token(defaultKey).catch((error) => error.code === "login_required" || tellError(error));
      return here.user;
    },
  };
};
