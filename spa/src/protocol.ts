// The client's side of the Authorization Code flow as pairs of request and reading: pure, no clock, no dice, no network.
//
// 1. An answer counts once its address, `state` and `iss` are those of this login (RFC 9207 §2.4, RFC 9700 §4.4).
// 2. Metadata count if they name the issuer to the byte and announce S256 (RFC 8414 §3.3, RFC 7636).
import type { Answer } from "./http.js";
import { OAuthError, ProofkeyError } from "./errors.js";

/**
 * The issuer's addresses, as its metadata name them (RFC 8414 §2). Give them to `createClient` to do without discovery.
 */
export interface Endpoints {
  authorization_endpoint: string;
  token_endpoint: string;
  jwks_uri?: string;
  userinfo_endpoint?: string;
  revocation_endpoint?: string;
  end_session_endpoint?: string;
  /** Whether every answer must hold `iss` (RFC 9207 §3). */
  authorization_response_iss_parameter_supported?: boolean;
}

/** What a login left behind for whoever comes back with its answer. */
export interface PendingLogin {
  state: string;
  issuer: string;
  redirectUri: string;
  issRequired: boolean;
}

/** Where a query starts: an address and its parameters. */
const splitAddress = (url: string): [string, URLSearchParams] => {
  const [address = "", query] = url.split("#")[0]!.split(/\?(.*)/s);
  return [address, new URLSearchParams(query)];
};

/** *url* with *parameters* added; an array is sent as several (RFC 8707 §2), undefined not at all. */
export const withQuery = (url: string, parameters: Record<string, unknown>): string =>
  url + (url.includes("?") ? "&" : "?") + formOf(parameters);

/** *parameters* as a form; an array is sent as several, undefined and empty not at all. */
export const formOf = (parameters: Record<string, unknown>): URLSearchParams => {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) if (each != null && each !== "") form.append(name, String(each));
  }
  return form;
};

/** The `state` of the answer in *url*; undefined where *url* holds no answer to *redirectUri*. */
export const stateOf = (url: string, redirectUri: string): string | undefined => {
  const [address, sent] = splitAddress(url);
  const answers = address === splitAddress(redirectUri)[0] && (sent.has("code") || sent.has("error"));
  return (answers && sent.get("state")) || undefined;
};

/** The code in the address the browser came back to, once address, `state` and `iss` are those of *pending*. */
export const readCallback = (url: string, pending: PendingLogin): string => {
  const [address, sent] = splitAddress(url);
  const refuse = (what: string): never => {
    throw new ProofkeyError("callback_" + what);
  };
  if (address !== splitAddress(pending.redirectUri)[0]) refuse("address_differs");
  if (new Set(sent.keys()).size !== [...sent].length) refuse("repeats");
  if (sent.get("state") !== pending.state) refuse("state_differs");
  const iss = sent.get("iss");
  if (iss === null ? pending.issRequired : iss !== pending.issuer) refuse(iss === null ? "iss_missing" : "iss_differs");
  const error = sent.get("error");
  if (error !== null) throw new OAuthError(error, sent.get("error_description") ?? undefined);
  return sent.get("code") || refuse("code_missing");
};

/** https, or http to this machine: a code, a token or a key travels on nothing else (RFC 9700 §2.6). */
const isSafe = (url: unknown): boolean =>
  /^https:\/\/|^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(String(url));

/** The issuer's addresses from its metadata. */
export const readMetadata = ({ status, body }: Answer, issuer: string): Endpoints => {
  if (status !== 200 || !body) throw new ProofkeyError("unavailable", "no metadata from " + issuer);
  const methods = body.code_challenge_methods_supported;
  if (body.issuer !== issuer) throw new ProofkeyError("metadata_issuer_differs");
  if (!Array.isArray(methods) || !methods.includes("S256")) throw new ProofkeyError("metadata_without_s256");
  return checkEndpoints(body as unknown as Endpoints);
};

/** The same addresses, or a refusal where one is not safe. */
export const checkEndpoints = (endpoints: Endpoints): Endpoints => {
  const { authorization_endpoint, token_endpoint, ...others } = endpoints;
  const named = Object.entries(others).filter(([name]) => /_(endpoint|uri)$/.test(name) && name !== "service_documentation");
  if (![authorization_endpoint, token_endpoint, ...named.map(([, url]) => url)].every(isSafe)) {
    throw new ProofkeyError("metadata_unsafe");
  }
  return endpoints;
};

/** A token response that can be used (RFC 6749 §5.1), or the issuer's refusal (§5.2). */
export const readTokens = ({ status, body }: Answer, type: string): Record<string, unknown> => {
  if (!body || status === 0 || status >= 500 || status === 429) throw new ProofkeyError("unavailable");
  if (status !== 200) throw new OAuthError(String(body.error), body.error_description as string | undefined);
  if (typeof body.access_token !== "string" || String(body.token_type).toLowerCase() !== type.toLowerCase()) {
    throw new ProofkeyError("response_invalid", "no access token of type " + type);
  }
  return body;
};

/** One parameter of a `WWW-Authenticate` challenge (RFC 9110 §11.6.1); undefined where it is not there. */
export const challengeParameter = (challenge: string, name: string): string | undefined => {
  const found = new RegExp(`[\\s,]${name}\\s*=\\s*(?:"([^"]*)"|([^\\s,]+))`, "i").exec(challenge);
  return found?.[1] ?? found?.[2];
};
