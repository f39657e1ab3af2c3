// @proofkey/spa: sign people in to a single-page app with the Authorization Code flow and PKCE, and call APIs for them.
import { ask, callKeeper } from "./keeper.js";
import { readMarker } from "./storage.js";
import { callApi } from "./api.js";
import type { Client } from "./client.js";
import { OAuthError, ProofkeyError } from "./errors.js";
import { formOf } from "./http.js";
import type { Claims } from "./id_token.js";
import { openLogin } from "./login.js";
import type { AccessToken } from "./messages.js";
import type { ClientOptions, LoginOptions, Prover, TokenOptions } from "./options.js";
import { discovering, findKeys } from "./issuer.js";
import { addressOf, readTokens, safe } from "./protocol.js";
import { openSession } from "./session.js";

export { OAuthError, ProofkeyError };
export type { ProofkeyErrorCode } from "./errors.js";
export type { Endpoints } from "./protocol.js";
export type { Client } from "./client.js";
export type { Claims } from "./id_token.js";
export type { LoginResult } from "./login.js";
export type { ClientOptions, LoginOptions, LogoutOptions, Prover, TokenOptions } from "./options.js";
export type { Events } from "./messages.js";

const FIRST_THINGS_FIRST = 100;

/** Whoever bears the token may use it (RFC 6750). */
const bearer: Prover = {
  type: "bearer",
  attempt: (_method, _url, send, token) => send((token && { authorization: "Bearer " + token }) as Record<string, string>),
};

/**
 * A client of an issuer: make one, outside of components, and keep it. Nothing is stored and nobody signed in by this.
 *
 * @example
 * ```ts
 * const app = createClient({ issuer: ISSUER, clientId: CLIENT_ID, redirectUri: REDIRECT_URI, scope: "openid email" });
 * await app.handleCallback();
 * if (!(await app.user())) await app.login();
 * ```
 */
export const createClient = (options: ClientOptions): Client => {
  const { clientId, dpop: prover = bearer } = options;
  const name = `proofkey:${options.issuer} ${clientId}`; // of channel, lock, marker and record alike
  const discover = discovering(options);
  // A login may name several resources, a token request names one (RFC 8707 §2.2): by default the first.
  const keyOf = ({ resource = options.resource, scope }: LoginOptions): string =>
    "" + formOf({ resource: [resource].flat()[0], scope });
  const session = openSession(options, name, prover, keyOf({}));
  const requestTokens = async (url: string, body: URLSearchParams): Promise<Record<string, unknown>> =>
    readTokens(await prover.attempt("POST", url, (headers) => ask(safe(url), { body, headers })), prover.type);
  const { login, handleCallback, settled } = openLogin(options, name, discover, prover, session, requestTokens, keyOf);
  // Whoever asks while an answer is being redeemed waits for it: components start in any order.
  const token = async (asked: TokenOptions = {}, stale?: AccessToken): Promise<AccessToken> => {
    await settled();
    return session.token(keyOf(asked), stale ?? asked.renew);
  };

  // Whoever is about to sign in will need the issuer's addresses and keys.
  setTimeout((): unknown => readMarker(name) || discover().then(findKeys).catch(() => 0), FIRST_THINGS_FIRST);

  return {
    options,
    login,
    handleCallback,
    on: session.on,
    getToken: async (asked) => (await token(asked)).accessToken,
    fetch: (input, init) => callApi(options, prover, token, login, input, init),
    user: () => settled().then(session.user),
    snapshot() {
      const { user } = session.current();
      return { signedIn: !!user, user };
    },

    async userinfo() {
      const url = safe((await discover()).userinfo_endpoint);
      const { body } = await prover.attempt("GET", url, (headers) => ask(url, { headers }), (await token()).accessToken);
      if (body?.sub !== session.current().user?.sub) throw new ProofkeyError("response_invalid");
      return body as Claims;
    },

    async logout({ postLogoutRedirectUri = options.postLogoutRedirectUri, redirect = true } = {}) {
      const { idToken } = session.current();
      const id = session.signOut("logout"); // first, so that nothing that fails below keeps anybody signed in
      const { revocation_endpoint, end_session_endpoint } = await discover();
      const kept = await callKeeper("drop", name, id, revocation_endpoint, clientId);
      if (!redirect || !end_session_endpoint) return;
      location.assign(
        addressOf(end_session_endpoint, {
          id_token_hint: idToken ?? kept,
          client_id: clientId,
          post_logout_redirect_uri: postLogoutRedirectUri,
        }),
      );
      return new Promise(() => 0);
    },
  };
};
