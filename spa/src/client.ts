// What an app holds in its hands: the client, method by method.
import type { Claims } from "./id_token.js";
import type { LoginResult } from "./login.js";
import type { ClientOptions, LoginOptions, LogoutOptions, TokenOptions } from "./options.js";
import type { Events } from "./messages.js";

/** A client of one issuer, in one tab. All tabs of the same client share one session. */
export interface Client {
  /**
   * Sign somebody in. By redirect it never resolves: the page goes away, and `handleCallback()` finishes on the way back.
   * With `popup: true`, called in a click, it resolves when the person is back. Rejects with the issuer's refusal
   * (`OAuthError`: `access_denied`, `login_required` after `prompt: "none"` …), `popup_blocked` or `popup_timeout`.
   *
   * @example
   * ```ts
   * await client.login({ target: location.pathname, prompt: "select_account" });
   * ```
   *
   * @example
   * ```ts
   * document.body.onclick = () => client.login({ popup: true }).then(({ user }) => console.log(user.sub));
   * ```
   */
  login(options?: LoginOptions): Promise<LoginResult>;

  /**
   * Deal with the answer of a login, if this page's address holds one: null if not. It redeems once, however often and by
   * however many clients of the page it is called, and takes the answer out of the address. It resolves once a reload would
   * find the session. The answer to a login of this tab or browser whose record was lost or spent begins a new login, once;
   * after that, and for an answer to anybody else's, it rejects with `transaction_lost`. Rejects with `OAuthError`,
   * `callback_…`, `id_token_…`, `unavailable`.
   *
   * @example
   * ```ts
   * const back = await client.handleCallback();
   * if (back) history.replaceState(null, "", back.target ?? "/");
   * ```
   */
  handleCallback(): Promise<LoginResult | null>;

  /**
   * An access token that can be used now: this tab's, another tab's, or a new one. One refresh serves all tabs. Rejects with
   * `login_required` when nobody is signed in, and `unavailable` when the issuer does not answer.
   *
   * @example
   * ```ts
   * const token = await client.getToken({ scope: "notes:read" });
   * const socket = { url: "wss://api.example", headers: { authorization: `Bearer ${token}` } };
   * ```
   */
  getToken(options?: TokenOptions): Promise<string>;

  /**
   * `fetch` with an access token. Only `resource`, `apis` and what lies below them get one (`api_not_allowed` otherwise), no
   * cookie goes along, and a redirect is an error, because it might lead elsewhere with the token. A refused token is renewed
   * once; a demand for a stronger or more recent sign-in (RFC 9470) is met in a window (or by redirect), and the request
   * repeated. What the API answers after that is the caller's.
   *
   * @example
   * ```ts
   * const notes = await (await client.fetch(`${API}/notes`)).json();
   * ```
   */
  fetch(input: RequestInfo | URL, init?: RequestInit & TokenOptions): Promise<Response>;

  /**
   * Who is signed in, by the ID token; null for nobody. Asks other tabs, then the vault and the issuer. Never rejects: an
   * expired session is nobody, and an issuer that is away is told to `on("error")`.
   *
   * @example
   * ```ts
   * const user = await client.user();
   * document.title = user ? `Notes of ${user.name}` : "Notes";
   * ```
   */
  user(): Promise<Claims | null>;

  /**
   * What this tab knows at this moment, without asking anybody: for rendering.
   *
   * @example
   * ```ts
   * const { signedIn, user } = client.snapshot();
   * document.body.dataset.signedIn = String(signedIn && user.sub !== "");
   * ```
   */
  snapshot(): { signedIn: boolean; user: Claims | null };

  /**
   * What the userinfo endpoint says (OpenID Connect Core §5.3), once it speaks of the same person as the ID token. A token
   * that it refuses is renewed once, as by `fetch()`, whose refusals are this one's; else `response_invalid`.
   *
   * @example
   * ```ts
   * const { email } = await client.userinfo();
   * ```
   */
  userinfo(): Promise<Claims>;

  /**
   * Sign out: this tab and every other at once, then the refresh token is forgotten and revoked (RFC 7009), then the browser
   * goes to the issuer, which ends its own session (RP-initiated logout). With `redirect: false` it ends here. Rejects with
   * `unavailable` where the issuer's addresses cannot be had: then nobody is signed in here, but may be there.
   *
   * @example
   * ```ts
   * await client.logout({ postLogoutRedirectUri: `${location.origin}/` });
   * ```
   */
  logout(options?: LogoutOptions): Promise<void>;

  /**
   * Hear of what happens, in whichever tab; gives the function that ends it.
   *
   * @example
   * ```ts
   * const off = client.on("signedout", (reason) => console.log(reason)); // logout, expired, replaced
   * off();
   * ```
   */
  on<E extends keyof Events>(event: E, listener: (told: Events[E]) => void): () => void;

  /** What `createClient` was given. */
  options: ClientOptions;
}
