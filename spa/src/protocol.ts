// The client's side of the Authorization Code flow as pairs of request and reading: pure, no clock, no dice, no network.
//
// 1. An answer counts once its address, `state` and `iss` are those of this login (RFC 9207 §2.4, RFC 9700 §4.4).
// 2. Metadata count if they name the issuer to the byte and announce S256 (RFC 8414 §3.3, RFC 7636).
import { formOf, type Answer } from "./http.js";
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

/** Whose answer it has to be, and where it has to arrive. */
export interface Asked {
  issuer: string;
  redirectUri: string;
}

/** *url* without query and fragment, as it is written. */
const bare = (url: string): string => url.split(/[?#]/)[0]!;

/** The same with a slash at its end: a server of files leads from `/callback` to `/callback/`. */
export const slashed = (url: string): string => bare(url).replace(/\/?$/, "/");

const sentIn = (url: string, redirectUri: string): URLSearchParams => new URL(url, redirectUri).searchParams;

/** Whether nobody on the way can read what travels to *url*: https, or http to this machine (RFC 9700 §2.6). */
export const isSafe = (url: string | undefined): boolean =>
  /^https:|^http:\/\/(localhost|127\.0\.0\.1|\[::1])[:/]/.test(url!);

/** *url*, unless what travels there could be read on the way. */
export const safe = (url: string | undefined): string => {
  if (isSafe(url)) return url!;
  throw new ProofkeyError("metadata_refused", url);
};

/** A page of the issuer's, with *parameters*. */
export const addressOf = (url: string, parameters: Record<string, unknown>): string =>
  safe(url) + (url.includes("?") ? "&" : "?") + formOf(parameters);

/**
 * The `state` of the answer in *url*; nothing where *url* holds no answer to *redirectUri*. One with a slash too many is an
 * answer, too: `readCallback` refuses it, and whoever took it for none would send the person away again, for ever.
 */
export const stateOf = (url: string, redirectUri: string): string | null | false =>
  slashed(url) === slashed(redirectUri) && /[?&](code|error)=/.test(url) && sentIn(url, redirectUri).get("state");

/** The code in the address the browser came back to, once address, `state` and `iss` are those of the login. */
export const readCallback = (
  url: string,
  state: string,
  { issuer, redirectUri }: Asked,
  issRequired: unknown,
): string => {
  const sent = sentIn(url, redirectUri);
  const { state: theirs, iss, error, error_description, code } = Object.fromEntries(sent);
  const wrong =
    bare(url) !== bare(redirectUri)
      ? "address_differs"
      : new Set(sent.keys()).size < sent.size
        ? "repeats"
        : theirs !== state
          ? "state_differs"
          : iss == null
            ? issRequired && "iss_missing"
            : iss !== issuer && "iss_differs";
  if (!wrong && error != null) throw new OAuthError(error, error_description);
  if (wrong || !code) throw new ProofkeyError("callback_" + (wrong || "code_missing"));
  return code;
};

/** The issuer's addresses from its metadata. */
export const readMetadata = ({ body }: Answer, expected: string): Endpoints => {
  if (!body) throw new ProofkeyError("unavailable");
  const { issuer, code_challenge_methods_supported: methods } = body;
  if (issuer !== expected || ![methods].flat().includes("S256")) throw new ProofkeyError("metadata_refused", issuer);
  return body as unknown as Endpoints;
};

/** A token response that can be used (RFC 6749 §5.1), or the issuer's refusal (§5.2). */
export const readTokens = ({ status, body }: Answer, expectedType: string): Record<string, unknown> => {
  if (!body) throw new ProofkeyError("unavailable");
  const { error, error_description, access_token, token_type } = body;
  if (error) throw new OAuthError(error as string, error_description);
  if (status !== 200 || !access_token || (token_type + "").toLowerCase() !== expectedType) throw new ProofkeyError("response_invalid");
  return body;
};

/** One parameter of a `WWW-Authenticate` challenge (RFC 9110 §11.6.1); undefined where it is not there. */
export const challengeParameter = (challenge: string | null, name: string): string | undefined =>
  new RegExp(`[ ,]${name}="?([^",]+)`).exec(challenge!)?.[1];
