// The keeper of the refresh token: it alone reads the vault, sends the refresh request and saves the successor. It runs in
// a dedicated worker; where none can be started, the page imports this very file instead.
//
// 1. A successor is in the vault before anybody hears of the tokens that came with it.
// 2. A refresh counts only if the vault still holds the session it was made for: a newer login or a sign-out wins.
import { post, type Answer } from "./http.js";
import { formOf } from "./protocol.js";
import * as vault from "./vault.js";

/** What is sealed. */
export interface Secret {
  refreshToken: string;
  /** The one whose signature was checked at sign-in: it says who this is, and is the hint at sign-out. */
  idToken: string | undefined;
  clientId: string;
  tokenEndpoint: string;
}

/** Which session, after how many refreshes. */
export interface Turn {
  id: string;
  turn: number;
}

/** A session as this keeper knows it, without what is sealed. */
export type Known = Turn & Pick<Secret, "idToken">;

/** What one attempt to refresh came to: the issuer's answer without the refresh token, or what the vault holds instead. */
export type Renewed = (Known & { answer: Answer }) | { moved: Turn } | undefined;

/** What a page can ask of the keeper of the session *name*. */
export interface Keeper {
  /** Keep the session of a new login, unless a newer one lies there. */
  save(name: string, persist: boolean, turn: Turn, secret: Secret): Promise<void>;
  /** What lies there. */
  peek(name: string): Promise<Known | undefined>;
  /** One refresh request with *form*, provided that the vault is still at *expected*. */
  renew(name: string, expected: Turn, form: string, headers: Record<string, string>): Promise<Renewed>;
  /** Forget the session *id* or an older one; revoke its refresh token (RFC 7009) where an address is given. */
  drop(name: string, id: string, revocationEndpoint: string | undefined): Promise<string | undefined>;
}

/** With `persist: false`, and where there is no IndexedDB: as long as this worker lives. */
const memory = new Map<string, Turn & { secret: Secret }>();

const load = async (name: string): Promise<(Turn & { secret: Secret }) | undefined> => {
  try {
    const kept = await vault.find(name);
    if (kept) return { ...kept, secret: await vault.open(kept) };
  } catch {
    // No IndexedDB, or its key is gone: then nothing lies there.
  }
  return memory.get(name);
};

const replace = async (
  name: string,
  persist: boolean,
  fits: (kept: Turn | undefined) => boolean,
  next: (Turn & { secret: Secret }) | undefined,
): Promise<boolean> => {
  if (persist) {
    try {
      return await vault.replace(name, fits, next && (await vault.seal(next.id, next.turn, next.secret)));
    } catch {
      // Private windows of some browsers have none: fall back to memory.
    }
  }
  if (!fits(memory.get(name))) return false;
  if (next) memory.set(name, next);
  else memory.delete(name);
  return true;
};

/** The keeper of this thread. */
export const keeper: Keeper = {
  async save(name, persist, turn, secret) {
    await replace(name, persist, (kept) => !kept || kept.id < turn.id, { ...turn, secret });
  },

  async peek(name) {
    const kept = await load(name);
    return kept && { id: kept.id, turn: kept.turn, idToken: kept.secret.idToken };
  },

  async renew(name, expected, form, headers) {
    const kept = await load(name);
    if (!kept) return undefined;
    const { id, turn, secret } = kept;
    const isHere = (found: Turn | undefined): boolean => found?.id === id && found.turn === turn;
    if (!isHere(expected)) return { moved: { id, turn } };
    const { refreshToken, clientId, tokenEndpoint, idToken } = secret;
    const body = formOf({ grant_type: "refresh_token", client_id: clientId, refresh_token: refreshToken });
    new URLSearchParams(form).forEach((value, key) => body.append(key, value));
    const answer = await post(tokenEndpoint, body, headers);
    if (answer.status !== 200 || !answer.body) return { id, turn, idToken, answer };
    const { refresh_token, ...rest } = answer.body;
    const next = { id, turn: turn + 1, secret: refresh_token ? { ...secret, refreshToken: String(refresh_token) } : secret };
    if (!(await replace(name, !memory.has(name), isHere, next))) return { moved: (await load(name)) ?? { id: "", turn: 0 } };
    return { id, turn: turn + 1, idToken, answer: { ...answer, body: rest } };
  },

  async drop(name, id, revocationEndpoint) {
    const kept = await load(name);
    if (!kept || kept.id > id) return undefined;
    const { refreshToken, clientId, idToken } = kept.secret;
    await replace(name, !memory.has(name), (found) => !found || found.id <= id, undefined);
    if (revocationEndpoint) {
      await post(revocationEndpoint, formOf({ client_id: clientId, token: refreshToken, token_type_hint: "refresh_token" }));
    }
    return idToken;
  },
};

/** A call and its number, as they travel between page and worker. */
export type Call = [number: number, method: keyof Keeper, ...given: unknown[]];

if ("WorkerGlobalScope" in globalThis) {
  addEventListener("message", ({ data: [number, method, ...given] }: MessageEvent<Call>) => {
    (keeper[method] as (...all: unknown[]) => Promise<unknown>)(...given).then(
      (said) => postMessage([number, true, said]),
      (error) => postMessage([number, false, error]),
    );
  });
}
