// @proofkey/spa: sign people in to a single-page app with the Authorization Code flow and PKCE, and call APIs for them.
import { callApi } from "./api.js";
import { OAuthError, ProofkeyError } from "./errors.js";
import { ask, post } from "./http.js";
import type { Claims } from "./id_token.js";
import { knowIssuer } from "./issuer.js";
import { openLogin, type LoginResult } from "./login.js";
import { signOut, type LogoutOptions } from "./logout.js";
import type { ClientOptions, TokenOptions } from "./options.js";
import { formOf, readTokens } from "./protocol.js";
import { openSession, type Events } from "./session.js";

export { OAuthError, ProofkeyError };
export type { ProofkeyErrorCode } from "./errors.js";
export type { ClientOptions, LoginOptions, Prover, TokenOptions } from "./options.js";
export type { Claims, Events, LoginResult, LogoutOptions };
export type { Endpoints } from "./protocol.js";

/** A client of one issuer, in one tab. All tabs of the same client share one session. */
export type Client = ReturnType<typeof createClient>;

/**
 * A client: nothing is asked of anybody before it is needed.
 *
 * @example
 * ```ts
 * const client = createClient({ issuer: ISSUER, clientId: CLIENT_ID, redirectUri: REDIRECT_URI, scope: "openid email" });
 * await client.handleCallback();
 * if (!(await client.user())) await client.login();
 * ```
 */
export const createClient = (options: ClientOptions) => {
  const { clientId, dpop } = options;
  const name = options.issuer + " " + clientId;
  const issuer = knowIssuer(options);
  const keyOf = ({ resource = options.resource, scope }: TokenOptions): string => String(formOf({ resource, scope }));
  const session = openSession(options, name, issuer, keyOf({}));
  const { login, handleCallback, isReturning } = openLogin(options, name, issuer, session);
  const token = async (asked: TokenOptions = {}, stale?: Parameters<typeof session.token>[1]) =>
    session.token(keyOf(asked), asked.renew ? await session.token(keyOf(asked)) : stale);
  const calling = { token, login };

  // Whoever is about to sign in will need the issuer's addresses; whoever comes back brought them along.
  if (!isReturning()) {
    (globalThis.requestIdleCallback ?? setTimeout)(() => issuer.prefetch().catch(() => undefined));
  }

  return {
    login,
    handleCallback,
    getToken: async (asked?: TokenOptions): Promise<string> => (await token(asked)).value,
    fetch: (input: RequestInfo | URL, init?: RequestInit & TokenOptions): Promise<Response> =>
      callApi(options, calling, input, init),
    user: async (): Promise<Claims | null> => (await session.user()) ?? null,
    snapshot: (): { signedIn: boolean; user: Claims | null } => {
      const { id, user } = session.now();
      return { signedIn: !!id, user: user ?? null };
    },
    async userinfo(): Promise<Claims> {
      const { userinfo_endpoint: url = "" } = await issuer.endpoints();
      const { type, value } = await token();
      const headers: Record<string, string> = { authorization: type + " " + value };
      if (dpop) headers.dpop = await dpop.proof("GET", url, value);
      const { status, body } = await ask(url, { headers, cache: "no-store" });
      if (status !== 200 || body?.sub !== session.now().user?.sub) throw new ProofkeyError("response_invalid");
      return body as Claims;
    },
    logout: (asked?: LogoutOptions): Promise<void> => signOut(options, name, issuer, session, asked),
    on: session.on,
    async grant(parameters: Record<string, string | string[] | undefined>): Promise<Record<string, unknown>> {
      const { token_endpoint: url } = await issuer.endpoints();
      for (;;) {
        const headers: Record<string, string> = dpop ? { DPoP: await dpop.proof("POST", url) } : {};
        const answer = await post(url, formOf({ client_id: clientId, ...parameters }), headers);
        if (dpop?.remember(url, answer.nonce) && answer.body?.error === "use_dpop_nonce") continue;
        return readTokens(answer, dpop ? "DPoP" : "Bearer");
      }
    },
  };
};
