// @proofkey/spa: sign people in to a single-page app with the Authorization Code flow and PKCE, and call APIs for them.
import { readMarker } from "./storage.js";
import { OAuthError, ProofkeyError } from "./errors.js";
import { discovering, findKeys, type Issuer } from "./issuer.js";
import type { Client } from "./client.js";
import { callKeeper } from "./keeper.js";
import { openSession } from "./session.js";
import type { Claims } from "./id_token.js";
import { addressOf, safe } from "./protocol.js";
import type { AccessToken } from "./messages.js";
import type { ClientOptions, LoginOptions, Prover, TokenOptions } from "./options.js";
import { openLogin } from "./login.js";
import { callApi } from "./api.js";
import { formOf } from "./http.js";

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
  const { settled, ...logins } = openLogin(options, name, discover, prover, session, keyOf);
  // Whoever asks while an answer is being redeemed waits for it: components start in any order.
  const token = async (asked: TokenOptions = {}, stale?: AccessToken): Promise<AccessToken> => {
    await settled();
    return session.token(keyOf(asked), stale ?? asked.renew);
  };

  // Whoever is about to sign in will need the issuer's addresses and keys.
  setTimeout((): unknown => readMarker(name) || discover().then(findKeys).catch(() => 0), FIRST_THINGS_FIRST);

  return {
    options,
    ...logins,
    on: session.on,
    getToken: async (asked) => (await token(asked)).accessToken,
    fetch: (input, init) => callApi(options, prover, token, logins.login, input, init),
    user: () => settled().then(session.user),
    snapshot() {
      const { user } = session.current();
      return { signedIn: !!user, user };
    },

    async userinfo() {
      const url = safe((await discover()).userinfo_endpoint);
      const response = await callApi({ ...options, apis: [url] }, prover, token, logins.login, url);
      const claims: Claims = await response.json().catch(() => 0);
      if (claims.sub !== session.current().user?.sub) throw new ProofkeyError("response_invalid");
      return claims;
    },

    async logout({ postLogoutRedirectUri = options.postLogoutRedirectUri, redirect = true } = {}) {
      const { idToken } = session.current();
      // First, so that nothing that fails below keeps anybody signed in, or their refresh token here.
      const dropped = await callKeeper("drop", name, session.signOut("logout"), clientId);
      const { end_session_endpoint } = redirect ? await discover() : ({} as Partial<Issuer>);
      if (!end_session_endpoint) return;
      location.assign(
        addressOf(end_session_endpoint, {
          id_token_hint: idToken ?? dropped?.idToken,
          client_id: clientId,
          post_logout_redirect_uri: postLogoutRedirectUri,
        }),
      );
      return new Promise(() => 0);
    },
  };
};
