// Requests to the issuer: no cookies, no redirects, no endless waiting, no endless answers.

/** What came back: `status` 0 where nothing did, `body` only if it is a JSON object. */
export interface Answer {
  status: number;
  body: Record<string, unknown> | undefined;
  /** `DPoP-Nonce` (RFC 9449 §8), where the issuer lets the page read it. */
  nonce: string | null;
  /** `Retry-After` in milliseconds, where it is readable and in seconds. */
  after: number;
}

const PATIENCE = 6_000; // below the 10 s in which an issuer repeats a lost answer to a refresh
const LARGEST = 1e6;

/** Ask *url*; a network failure is an answer with status 0, never an exception. */
export const ask = async (url: string, init?: RequestInit): Promise<Answer> => {
  try {
    const response = await fetch(url, {
      credentials: "omit",
      redirect: "error",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(PATIENCE),
      ...init,
    });
    const { headers } = response;
    const text = await response.text();
    let body;
    try {
      body = text.length < LARGEST ? JSON.parse(text) : undefined;
    } catch {
      // Not JSON: the status alone has to do.
    }
    return {
      status: response.status,
      body: Object(body) === body ? body : undefined,
      nonce: headers.get("dpop-nonce"),
      after: +headers.get("retry-after")! * 1e3 || 0,
    };
  } catch {
    return { status: 0, body: undefined, nonce: null, after: 0 };
  }
};

/** Post a form: without further headers no browser asks for permission first, so it leaves at once. */
export const post = (url: string, form: URLSearchParams, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(url, { method: "POST", body: form, headers, cache: "no-store" });
