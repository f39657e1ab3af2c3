// Calling APIs: which address may get a token, and what to do when the API says no.
//
// 1. A token goes to the configured APIs only, and a redirect is an error: it might lead anywhere with the token attached.
// 2. A refused token is renewed once (RFC 6750 §3.1). A stronger sign-in is asked for once (RFC 9470). Then the request is
//    repeated.
import { ProofkeyError } from "./errors.js";
import type { LoginResult } from "./login.js";
import type { ClientOptions, LoginOptions, Prover, TokenOptions } from "./options.js";
import { slashed, challengeParameter } from "./protocol.js";
import type { AccessToken } from "./messages.js";

/** Whether an API is *url*, as the browser writes it, or lies above it. */
export const isAbove =
  (url: string) =>
  (api: string): boolean =>
    slashed(url).startsWith(slashed(api));

/** `fetch` with an access token attached. */
export const callApi = async (
  { resource, apis = [], stepUp = "popup" }: ClientOptions,
  prover: Prover,
  token: (asked: TokenOptions, stale?: AccessToken) => Promise<AccessToken>,
  login: (asked: LoginOptions) => Promise<LoginResult>,
  input: RequestInfo | URL,
  init: RequestInit & TokenOptions = {},
): Promise<Response> => {
  const request = new Request(input, init);
  const { url, method } = request;
  if (![init.resource ?? resource ?? [], apis].flat().some(isAbove(url))) {
    throw new ProofkeyError("api_not_allowed", url);
  }
  for (let held: (AccessToken & { isRefused?: boolean | undefined }) | undefined, isRenewed: boolean | undefined, isProven: LoginResult | undefined; ; ) {
    held = await token(init, held);
    const response = await prover.attempt(
      method,
      url,
      (proving) =>
        fetch(request.clone(), {
          headers: { ...Object.fromEntries(request.headers), ...proving },
          redirect: "error",
          credentials: "omit",
        }),
      held.accessToken,
    );
    const challenge = response.headers.get("www-authenticate");
    const error = challengeParameter(challenge, "error") ?? "invalid_token";
    if (response.status !== 401) return response;
    if (error === "insufficient_user_authentication" && !isProven && stepUp !== "off") {
      isProven = await login({
        target: location.href,
        acrValues: challengeParameter(challenge, "acr_values"),
        maxAge: challengeParameter(challenge, "max_age"),
        popup: stepUp === "popup" && "preferred",
      });
    } else if (error === "invalid_token" && !isRenewed && !held.isRefused) {
      isRenewed = true;
    } else {
      held.isRefused ||= isRenewed;
      return response;
    }
  }
};
