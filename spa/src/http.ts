// Requests to the issuer: no cookies, no redirects, no endless waiting.

/**
 * What came back: `status` and `body`; or neither where it is worth asking again: nothing came, or nothing that is JSON, or
 * the issuer said that it cannot answer now. Plain, because it travels between threads.
 */
export interface Answer {
  status?: number;
  body?: Record<string, unknown>;
  /** `DPoP-Nonce` (RFC 9449 §8), where the issuer lets the page read it. */
  nonce?: string | null;
}

// What spends something (a code, a refresh token) is not given up while its answer may still come.
export const PATIENCE = 6_000;
const LONG_PATIENCE = 30_000;

/**
 * Ask *url*; a network failure is an answer, too. With a body it is a POST: a form without further headers needs no
 * permission first (CORS preflight), so it leaves at once.
 */
export const ask = async (url: string, init: RequestInit = {}): Promise<Answer> => {
  try {
    const { body } = init;
    const response = await fetch(url, {
      method: body ? "POST" : "GET",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(body ? LONG_PATIENCE : PATIENCE),
      ...init,
    });
    const { status } = response;
    if (status < 500 && status !== 429) {
      return { status, body: await response.json(), nonce: response.headers.get("dpop-nonce") };
    }
  } catch {
    // Offline, blocked, too late, cut off, not JSON.
  }
  return {};
};

/** *parameters* behind *others*; an array is sent as several (RFC 8707 §2), undefined and empty not at all. */
export const formOf = (parameters: Record<string, unknown>, others?: string): URLSearchParams => {
  const form = new URLSearchParams(others);
  for (const name in parameters)
    for (const each of [parameters[name]].flat()) if (each || each === 0) form.append(name, each as string);
  return form;
};
