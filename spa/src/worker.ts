// The keeper of the refresh token: it alone reads the vault, sends the refresh request and saves the successor. It runs in
// a dedicated worker. The page imports this very file, too: for what it has to ask the issuer itself, to put a new session
// into the vault without waiting for a worker, and where no worker can be started.
//
// 1. A successor is in the vault before anybody hears of the tokens that came with it.
// 2. A refresh counts only if the vault still holds the session it was made for: a newer login or a sign-out wins.
import { ask, PATIENCE, type Answer } from "./http.js";
import type { Claims } from "./id_token.js";
import * as vault from "./vault.js";
import type { Turn } from "./vault.js";

export { ask };

/** What the keeper tells of a session. */
export interface Known extends Turn {
  /** The one whose signature was checked at sign-in: it says who this is, and is the hint at sign-out. */
  idToken: string;
  /** The token endpoint: the refresh token goes nowhere else. */
  endpoint: string;
  /** Where it is revoked. */
  revocation: string | false | undefined;
  user: Claims | null;
}

/** What is sealed. */
interface Secret {
  refreshToken: string;
  known: Known;
}

/**
 * The issuer's answer without the refresh token, and the vault after it; no body where no request was made, because the vault
 * was not where the page believed it to be.
 */
export type Renewed = Answer & { known?: Known };

// Nothing is kept: told in the issuer's word for a refresh token that is none.
const NOTHING = { body: { error: "invalid_grant" } };

/** With `persist: false`: as long as this worker lives. */
const memory: Record<string, Secret | undefined> = {};

const load = async (name: string): Promise<Secret | void> => memory[name] ?? vault.load(name);

const replace = async (
  name: string,
  fits: (found?: Turn) => boolean,
  next?: Secret,
  persist = !memory[name],
): Promise<boolean> => {
  if (persist) return vault.replace(name, fits, next);
  const isFitting = fits(memory[name]?.known);
  if (isFitting) memory[name] = next;
  return isFitting;
};

/** What a page can ask of the keeper of the session *name*. */
const keeper = {
  /** Keep the session of a new login, unless a newer one lies there; without refresh token only the former is forgotten. */
  save: (name: string, known: Known, refreshToken: string | undefined, persist: boolean): Promise<unknown> =>
    replace(name, (found) => !found || found.id < known.id, refreshToken ? { refreshToken, known } : undefined, persist),

  /** One refresh request with *form*, provided that the vault is where *expected* says. */
  async renew(
    name: string,
    expected?: Turn,
    form?: string,
    headers?: Record<string, string>,
  ): Promise<Renewed> {
    const found = await load(name);
    if (!found) return NOTHING;
    const { refreshToken, known } = found;
    const isHere = (other?: Turn): boolean => other?.id === known.id && other.turn === known.turn;
    if (!isHere(expected)) return { known };
    const request = new URLSearchParams(form);
    request.set("refresh_token", refreshToken);
    const answer = await ask(known.endpoint, { body: request, headers: headers! });
    if (answer.status !== 200) return answer;
    const { refresh_token, ...body } = answer.body!;
    const next = { ...known, turn: known.turn + 1 };
    const isKept = await replace(name, isHere, { refreshToken: (refresh_token as string) || refreshToken, known: next });
    return isKept ? { ...answer, body, known: next } : {};
  },

  /** Forget the session *id* or an older one, which is told; then revoke its refresh token (RFC 7009), for *clientId*. */
  async drop(name: string, id: string, clientId?: string): Promise<Known | undefined> {
    const found = await load(name);
    if (!(await replace(name, (other) => other?.id! <= id)) || !found) return undefined;
    const { refreshToken, known } = found;
    if (clientId && known.revocation) {
      await ask(known.revocation, {
        body: new URLSearchParams({ client_id: clientId, token: refreshToken }),
        signal: AbortSignal.timeout(PATIENCE), // somebody who signs out is looking on
      });
    }
    return known;
  },
};

type Keeper = typeof keeper;

/** Asks the keeper by the name of what it can do. */
export type Call = <M extends keyof Keeper>(method: M, ...given: Parameters<Keeper[M]>) => Promise<Awaited<ReturnType<Keeper[M]>>>;

/** The keeper's answer; a failure of the browser's own is told like one of the network. */
export const answer = ((method: keyof Keeper, ...given: unknown[]) =>
  (keeper[method] as (...all: unknown[]) => Promise<unknown>)(...given).catch(() => ({}))) as Call;

if ((globalThis as any).WorkerGlobalScope) {
  onmessage = async ({ data, ports }) => ports[0]!.postMessage(await (answer as any)(...data));
  postMessage(0);
}
