// What an app says about itself and its issuer, and what it can ask of one login.
import type { Endpoints } from "./protocol.js";

/**
 * How requests prove who may use a token. Without one: not at all (RFC 6750). `dpop()` of `@proofkey/spa/dpop` makes one
 * that holds a key (RFC 9449).
 */
export interface Prover {
  /** The token type, in lower case. */
  type: string;
  /** What an authorization request says of the key (RFC 9449 §10). */
  parameters?(): Promise<Record<string, string>>;
  /**
   * Make a request by *send* with the headers it needs, again with other headers where the server says so; *token* goes
   * along. What *send* gives is an `Answer` or a `Response`.
   */
  attempt<T>(method: string, url: string, send: (headers: Record<string, string>) => Promise<T>, token?: string): Promise<T>;
}

/** What `createClient` takes. */
export interface ClientOptions {
  /** The issuer, byte for byte as its metadata name it. */
  issuer: string;
  clientId: string;
  /** A registered address of this app that calls `handleCallback()`. */
  redirectUri: string;
  /** Separated by spaces; `openid` is what gives a signed-in person. Default `openid`. */
  scope?: string;
  /** The API the access token is for (RFC 8707). `fetch()` may send it there and below. */
  resource?: string | string[];
  /** Further addresses (origin, or origin and path) at and below which `fetch()` may send access tokens. */
  apis?: string[];
  /** Keep the session over a reload, sealed in IndexedDB. Default true; false: as long as this tab lives. */
  persist?: boolean;
  /** After which part of its life an access token is renewed ahead of need. Default 0.75; 0: only when asked for. */
  renewAt?: number;
  /** Proof of possession: `dpop()` of `@proofkey/spa/dpop`. */
  dpop?: Prover;
  /** Where the issuer sends the browser after a sign-out. */
  postLogoutRedirectUri?: string;
  /** How `fetch()` answers an API that wants a stronger or more recent sign-in (RFC 9470). Default `"popup"`. */
  stepUp?: "popup" | "redirect" | "off";
  /** The issuer's addresses instead of discovery. */
  endpoints?: Endpoints;
}

/** What one login may ask for beyond the client's own options. */
export interface LoginOptions {
  /** In a window of its own; the page stays. Call it in a click, else browsers block the window: `"preferred"` then redirects. */
  popup?: boolean | "preferred" | undefined;
  /** Given back by `handleCallback()`: where the person wanted to go. Anything JSON can hold. */
  target?: unknown;
  scope?: string;
  resource?: string | string[];
  /** `login`, `consent`, `select_account`, `none` … */
  prompt?: string;
  /** Authentication contexts, the preferred first, separated by spaces. */
  acrValues?: string | undefined;
  /** Seconds since the person last proved who they are; older ones sign in again. Checked in the ID token. */
  maxAge?: number | string | undefined;
  loginHint?: string;
  /** Further parameters of the authorization request; they cannot replace those of the flow. */
  extra?: Record<string, string>;
}

/** Which access token. */
export interface TokenOptions {
  /** Which API it is for. */
  resource?: string;
  /** Less than what was granted. */
  scope?: string;
  /** Another one than this tab holds now, although that one has not expired. */
  renew?: boolean;
}

/** How to sign out. */
export interface LogoutOptions {
  /** A registered address; the client's own if left out. */
  postLogoutRedirectUri?: string;
  /** Go to the issuer, so that its own session ends. Default true; false: this app only. */
  redirect?: boolean;
}
