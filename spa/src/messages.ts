// What tabs of one client tell each other by BroadcastChannel, and what an app's listeners are told.
import type { Claims } from "./id_token.js";
import type { Known } from "./worker.js";

/** An access token as tabs hand it to each other. */
export interface AccessToken {
  accessToken: string;
  /** When it was given, in milliseconds since 1970, and how many milliseconds it lives. */
  givenAt: number;
  life: number;
}

/** What one tab tells another: the session, and perhaps one access token and the form that asks for it. */
export interface Handed extends Known {
  key?: string;
  token?: AccessToken | false | undefined;
}

/** What listeners are told. */
export interface Events {
  /** Somebody is signed in, here or in another tab: who. */
  signedin: Claims | null;
  /** Nobody is any more: `logout`, `expired` or `replaced`. */
  signedout: string;
  /** There is a new access token. */
  refreshed: undefined;
  /** A renewal ahead of need failed; nobody was signed out. */
  error: unknown;
}

/** What tabs tell each other. */
export interface Messages {
  /** Who holds this access token, or any part of the session? */
  ask: string;
  have: Handed;
  out: [id: string, reason: string];
  /** A window came back with this answer. */
  callback: [state: string, url: string];
}
