// Calling APIs: which address may get a token, and what to do when the API says no.
//
// 1. A token goes to the configured APIs only, and a redirect is an error: it might lead anywhere with the token attached.
// 2. A refused token is renewed once (RFC 6750 §3.1). A stronger sign-in is asked for once (RFC 9470), then the request is
//    repeated.
import { ProofkeyError } from "./errors.js";
import type { LoginResult } from "./login.js";
import type { ClientOptions, LoginOptions, TokenOptions } from "./options.js";
import { challengeParameter } from "./protocol.js";
import type { AccessToken } from "./session.js";

/** Whether *url* lies under *api*: the same origin, and the same path or one below. */
export const isUnder = (url: string, api: string): boolean => {
  const [asked, allowed] = [new URL(url), new URL(api)];
  const path = allowed.pathname.replace(/\/$/, "");
  return asked.origin === allowed.origin && (asked.pathname + "/").startsWith(path + "/");
};

/** What `fetch()` needs of the client. */
export interface Calling {
  token(asked: TokenOptions, stale?: AccessToken): Promise<AccessToken>;
  login(asked: LoginOptions): Promise<LoginResult>;
}

/** `fetch` with an access token attached. */
export const callApi = async (
  { dpop, resource, apis = [], stepUp = "popup" }: ClientOptions,
  { token, login }: Calling,
  input: RequestInfo | URL,
  init: RequestInit & TokenOptions = {},
): Promise<Response> => {
  const request = new Request(input, init);
  const { url, method } = request;
  const origins = [init.resource ?? resource ?? []].flat().filter((each) => /^https?:/.test(each));
  if (!origins.some((each) => isUnder(url, new URL(each).origin)) && !apis.some((api) => isUnder(url, api))) {
    throw new ProofkeyError("api_not_allowed", `${new URL(url).origin} is none of this client's APIs`);
  }
  const redirect = request.redirect === "follow" ? "error" : request.redirect;
  const send = async (held: AccessToken): Promise<Response> => {
    const attempt = new Request(request.clone(), { redirect, credentials: "omit" });
    attempt.headers.set("authorization", held.type + " " + held.value);
    if (dpop) attempt.headers.set("dpop", await dpop.proof(method, url, held.value));
    return fetch(attempt);
  };
  let held = await token(init);
  let response = await send(held);
  for (let renewed = false, proven = false; response.status === 401; ) {
    const challenge = " " + (response.headers.get("www-authenticate") ?? "");
    const error = challengeParameter(challenge, "error");
    if (dpop?.remember(url, response.headers.get("dpop-nonce")) && error === "use_dpop_nonce") {
      // The same token with the nonce the API wants to see (RFC 9449 §9).
    } else if (error === "insufficient_user_authentication") {
      if (proven || stepUp === "off") break;
      proven = true;
      const maxAge = challengeParameter(challenge, "max_age");
      const asked: LoginOptions = { target: location.href.slice(location.origin.length) };
      const acrValues = challengeParameter(challenge, "acr_values");
      if (acrValues) asked.acrValues = acrValues;
      if (maxAge) asked.maxAge = +maxAge;
      await login({ ...asked, popup: stepUp === "popup" }).catch((refused) => {
        if (refused.code !== "popup_blocked") throw refused;
        return login(asked);
      });
      held = await token(init);
    } else {
      if (renewed || (error && error !== "invalid_token")) break;
      renewed = true;
      held = await token(init, held);
    }
    response = await send(held);
  }
  return response;
};
