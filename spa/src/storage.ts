// What is kept in localStorage: one record per login under way, and one marker that tells all tabs which session is the
// current one. No token is ever written here.
//
// localStorage, not sessionStorage: a login may come back in another tab (a link in an e-mail, a popup), and reading it
// waits for nothing, so a record is spent before anything else can run.
import type { Issuer } from "./issuer.js";
import { mint } from "./pkce.js";

/** One login under way; of one that was spent, or is too old, only `target` counts. */
export interface Transaction {
  /** Where the person wanted to go. */
  target?: unknown;
  /** Which client's it is. */
  name?: string;
  verifier?: string;
  nonce?: string;
  /** What the token request repeats (RFC 8707 §2.2). */
  key?: string;
  issuer?: Issuer;
  maxAge?: number | string | undefined;
  popup?: unknown;
}

const LOGIN = "proofkey-login:";
const KEPT_FOR = 3_600_000;
const AT_MOST = 20;

/** Write down a login, and forget those that are more than twenty. */
export const keepTransaction = (state: string, transaction: Transaction): void => {
  Object.keys(localStorage)
    .filter((key) => key.startsWith(LOGIN))
    .sort()
    .slice(0, 1 - AT_MOST)
    .forEach((key) => delete localStorage[key]);
  localStorage[LOGIN + state] = JSON.stringify(transaction);
};

/** The login that *state* names, without spending it. */
export const findTransaction = (state: string): Transaction | null =>
  JSON.parse(localStorage[LOGIN + state] || 0) as Transaction | null;

/** The login that *state* names, spent by this call: whoever comes second finds only where the person wanted to go. */
export const takeTransaction = (state: string): Transaction | null => {
  const found = findTransaction(state);
  if (found) localStorage[LOGIN + state] = JSON.stringify({ target: found.target });
  // In front stands the moment: parsing ends at the dot.
  return parseInt(state, 36) > Date.now() - KEPT_FOR ? found : findTransaction(state);
};

/**
 * The marker: the id of the current session, with `~` behind it once it was signed out of. Ids sort by the moment of signing
 * in, so any two tabs agree which of two sessions is the newer, and nothing older than a sign-out comes back.
 */
export const readMarker = (name: string): string => localStorage[name] ?? "";

/** Whether the current session was signed out of. */
export const isOut = (name: string): boolean => /~$/.test(readMarker(name));

/** Set the marker, unless a newer one stands there. */
export const raiseMarker = (name: string, id: string): void => {
  if (id > readMarker(name)) localStorage[name] = id;
};

/** A session id that is newer than every one this browser knows of, even if its clock was turned back. */
export const mintSessionId = (name: string): string => mint(Math.max(Date.now(), parseInt(readMarker(name), 36) + 1 || 0));
