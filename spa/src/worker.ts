// The keeper of the refresh token: it alone reads the vault, sends the refresh request and saves the successor. It runs in
// a dedicated worker. The page imports this very file, too: for what it has to ask the issuer itself, to put a new session
// into the vault without waiting for a worker, and where no worker can be started.
//
// 1. A successor is in the vault before anybody hears of the tokens that came with it.
// 2. A refresh counts only if the vault still holds the session it was made for: a newer login or a sign-out wins.
import { ask, type Answer } from "./http.js";
import type { Claims } from "./id_token.js";
import * as vault from "./vault.js";
import type { Opened, Turn } from "./vault.js";

export { ask };

/** What the keeper tells of a session. */
export interface Known extends Turn {
  /** The one whose signature was checked at sign-in: it says who this is, and is the hint at sign-out. */
  idToken: string;
  /** The token endpoint: the refresh token goes nowhere else. */
  endpoint: string;
  user: Claims | null;
}

/** What is sealed. */
interface Secret {
  refreshToken: string;
  known: Known;
}

/** The issuer's answer without the refresh token, and the vault after it. */
export type Renewed = Answer & { known?: Known };

// Statuses that are none of HTTP's: no request was made, because nothing is kept, or another turn than expected.
const NOTHING = 1;
const ELSEWHERE = 2;

/** With `persist: false`: as long as this worker lives. */
const memory = new Map<string, Opened<Secret>>();

const load = async (name: string): Promise<Opened<Secret> | undefined> =>
  memory.get(name) ?? vault.load<Secret>(name);

const replace = async (
  name: string,
  fits: (found?: Turn) => boolean,
  next?: Opened<Secret>,
  persist = !memory.has(name),
): Promise<boolean> => {
  if (persist) return vault.replace(name, fits, next);
  const isFitting = fits(memory.get(name));
  if (isFitting) next ? memory.set(name, next) : memory.delete(name);
  return isFitting;
};

const tellOf = ({ turn, secret }: Opened<Secret>): Known => ({ ...secret.known, turn });

/** What a page can ask of the keeper of the session *name*. */
const keeper = {
  /** Keep the session of a new login, unless a newer one lies there. */
  save: (name: string, known: Known, refreshToken: string, persist: boolean): Promise<unknown> =>
    replace(name, (found) => !found || found.id < known.id, { ...known, secret: { refreshToken, known } }, persist),

  /** One refresh request with *form*, provided that the vault is where *expected* says. */
  async renew(
    name: string,
    expected?: Turn,
    form?: string,
    headers?: Record<string, string>,
  ): Promise<Renewed> {
    const found = await load(name);
    if (!found) return { status: NOTHING };
    const { id, turn, secret } = found;
    const isHere = (other?: Turn): boolean => other?.id === id && other.turn === turn;
    if (!isHere(expected)) return { status: ELSEWHERE, known: tellOf(found) };
    const { refreshToken, known } = secret;
    const request = new URLSearchParams(form);
    request.set("refresh_token", refreshToken);
    const answer = await ask(known.endpoint, { body: request, headers: headers! });
    if (answer.status !== 200) return answer;
    const { refresh_token = refreshToken, ...body } = answer.body!;
    const next = { id, turn: turn + 1, secret: { known, refreshToken: refresh_token as string } };
    return (await replace(name, isHere, next)) ? { ...answer, body, known: tellOf(next) } : { status: 0 };
  },

  /** Forget the session *id* or an older one; revoke its refresh token (RFC 7009) where an address is given. */
  async drop(name: string, id: string, endpoint?: string, clientId?: string): Promise<string | undefined> {
    const found = await load(name);
    if (!found || !(await replace(name, (other) => other?.id! <= id))) return undefined;
    const { refreshToken, known } = found.secret;
    if (endpoint) await ask(endpoint, { body: new URLSearchParams({ client_id: clientId!, token: refreshToken }) });
    return known.idToken;
  },
};

type Keeper = typeof keeper;

/** Asks the keeper by the name of what it can do. */
export type Call = <M extends keyof Keeper>(method: M, ...given: Parameters<Keeper[M]>) => Promise<Awaited<ReturnType<Keeper[M]>>>;

/** The keeper's answer; a failure of the browser's own is told like one of the network. */
export const answer = ((method: keyof Keeper, ...given: unknown[]) =>
  (keeper[method] as (...all: unknown[]) => Promise<unknown>)(...given).catch(() => ({ status: 0 }))) as Call;

if ((globalThis as any).WorkerGlobalScope) {
  onmessage = async ({ data, ports }) => ports[0]!.postMessage(await (answer as any)(...data));
  postMessage(0);
}
