// Token exchange (RFC 8693): another access token in place of the one this client holds, for another API or with less scope.
import type { Client } from "./index.js";
import { formOf } from "./http.js";
import { discovering } from "./issuer.js";
import { readTokens, safe } from "./protocol.js";
import { ask } from "./keeper.js";

/** What is asked for; left out: the issuer decides. */
export interface ExchangeOptions {
  /** Where the new token will be used. */
  resource?: string | string[];
  /** The same by the API's name. */
  audience?: string | string[];
  scope?: string;
  /** `urn:ietf:params:oauth:token-type:…`; default an access token. */
  requestedTokenType?: string;
  /** What is given in exchange; default this client's access token. */
  subjectToken?: string;
  subjectTokenType?: string;
  /** Who acts for the subject. */
  actorToken?: string;
  actorTokenType?: string;
}

/** A token that was given in exchange. It is the caller's: this library keeps no copy and does not renew it. */
export interface Exchanged {
  token: string;
  /** `urn:ietf:params:oauth:token-type:…` */
  type: string;
  /** Seconds it lives, where the issuer tells. */
  expiresIn: number | undefined;
  scope: string | undefined;
}

const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const bySender = new WeakMap<Client, ReturnType<typeof discovering>>();

/**
 * Exchange this client's access token, or another one. Raises what `getToken()` raises, and the issuer's refusal.
 *
 * @example
 * ```ts
 * const forBills = await exchange(client, { audience: "https://bills.example", scope: "bills:read" }).catch(
 *   (refused) => refused.code, // unsupported_grant_type, where the issuer has no token exchange
 * );
 * ```
 */
export const exchange = async (client: Client, asked: ExchangeOptions = {}): Promise<Exchanged> => {
  const { options } = client;
  const { actorToken, resource, audience, scope } = asked;
  const discover = bySender.get(client) ?? discovering(options);
  bySender.set(client, discover);
  const url = safe((await discover()).token_endpoint);
  const form = formOf({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    client_id: options.clientId,
    subject_token: asked.subjectToken ?? (await client.getToken()),
    subject_token_type: asked.subjectTokenType ?? ACCESS_TOKEN,
    requested_token_type: asked.requestedTokenType,
    actor_token: actorToken,
    actor_token_type: actorToken && (asked.actorTokenType ?? ACCESS_TOKEN),
    resource,
    audience,
    scope,
  });
  const send = (headers: Record<string, string>) => ask(url, { body: form, headers });
  const answer = await (options.dpop ? options.dpop.attempt("POST", url, send) : send({}));
  const body = readTokens(answer, String(answer.body?.token_type).toLowerCase()); // `N_A` for tokens that are none (§2.2.1)
  return {
    token: body.access_token as string,
    type: body.issued_token_type as string,
    expiresIn: body.expires_in as number | undefined,
    scope: body.scope as string | undefined,
  };
};
