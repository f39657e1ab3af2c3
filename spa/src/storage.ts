// What is kept in localStorage: one record per login under way, and one marker that tells all tabs which session is the
// current one. No token is ever written here.
//
// localStorage, not sessionStorage: a login may come back in another tab (a link in an e-mail, a popup), and reading it
// waits for nothing, so a record is spent before anything else can run.
import type { Endpoints } from "./protocol.js";
import type { Key } from "./id_token.js";

/** One login under way. Short names: twenty of these may lie there. */
export interface Transaction {
  /** When it began. */
  at: number;
  /** Where the person wanted to go. */
  target: unknown;
  /** Gone once it is spent: what is left only remembers the target. */
  login?: {
    /** Issuer and client. */
    name: string;
    verifier: string;
    nonce: string;
    redirectUri: string;
    /** Parameters that the token request repeats (RFC 8707 §2.2). */
    form: string;
    endpoints: Endpoints;
    keys: Key[] | undefined;
    maxAge: number | undefined;
    popup: boolean;
  };
}

const PREFIX = "proofkey-login:";
const KEPT_FOR = 3_600_000;
const AT_MOST = 20;

/** Write down a login, and forget those that are an hour old or more than twenty. */
export const keepTransaction = (state: string, kept: Transaction): void => {
  const others = Object.keys(localStorage)
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => ({ key, at: (JSON.parse(localStorage.getItem(key)!) as Transaction).at }))
    .sort((one, other) => other.at - one.at);
  others.forEach(({ key, at }, index) => {
    if (index >= AT_MOST - 1 || !(at > kept.at - KEPT_FOR)) localStorage.removeItem(key);
  });
  localStorage.setItem(PREFIX + state, JSON.stringify(kept));
};

/** The login that *state* names, without spending it. */
export const findTransaction = (state: string): Transaction | undefined => {
  const kept: Transaction | null = JSON.parse(localStorage.getItem(PREFIX + state)!);
  return kept && kept.at > Date.now() - KEPT_FOR ? kept : undefined;
};

/** The login that *state* names, spent by this call: whoever comes second finds only where the person wanted to go. */
export const takeTransaction = (state: string): Transaction | undefined => {
  const kept = findTransaction(state);
  if (kept) localStorage.setItem(PREFIX + state, JSON.stringify({ at: kept.at, target: kept.target }));
  return kept;
};

/**
 * The marker: the id of the current session, with `!` behind it once it was signed out of. Ids are ordered by the moment of
 * signing in, so any two tabs agree on which of two sessions is the newer, and nothing older than a sign-out comes back.
 */
export const readMarker = (name: string): string => localStorage.getItem("proofkey:" + name) ?? "";

/** Set the marker. */
export const writeMarker = (name: string, id: string): void => localStorage.setItem("proofkey:" + name, id);

/** A session id that is newer than every one this browser knows of, even if its clock was turned back. */
export const mintSessionId = (name: string): string => {
  const newest = parseInt(readMarker(name), 36) || 0;
  return Math.max(Date.now(), newest + 1).toString(36).padStart(10, "0") + "." + crypto.randomUUID().slice(0, 8);
};
