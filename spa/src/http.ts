// Requests to the issuer: no cookies, no redirects, no endless waiting, no endless answers.

/**
 * What came back: `status` and `body`; or `status` 0 where it is worth asking again: nothing came, or nothing that is JSON, or
 * the issuer said that it cannot answer now. Plain, because it travels between threads.
 */
export interface Answer {
  status: number;
  body?: Record<string, unknown>;
  /** `DPoP-Nonce` (RFC 9449 §8), where the issuer lets the page read it. */
  nonce?: string | null;
}

const PATIENCE = 6_000; // below the 10 s in which an issuer repeats a lost answer to a refresh
const LARGEST = 1e6;

/**
 * Ask *url*; a network failure is an answer, too. With a body it is a POST: a form without further headers needs no
 * permission first (CORS preflight), so it leaves at once.
 */
export const ask = async (url: string, init: RequestInit = {}): Promise<Answer> => {
  try {
    const response = await fetch(url, {
      method: init.body ? "POST" : "GET",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE),
      ...init,
    });
    const { status, headers } = response;
    if (status < 500 && status !== 429 && +headers.get("content-length")! < LARGEST) {
      return { status, body: await response.json(), nonce: headers.get("dpop-nonce") };
    }
  } catch {
    // Offline, blocked, too late, cut off, not JSON.
  }
  return { status: 0 };
};

/** *parameters* behind *others*; an array is sent as several (RFC 8707 §2), undefined and empty not at all. */
export const formOf = (parameters: Record<string, unknown>, others?: string): URLSearchParams => {
  const form = new URLSearchParams(others);
  for (const name in parameters)
    for (const each of [parameters[name]].flat()) if (each || each === 0) form.append(name, each as string);
  return form;
};
