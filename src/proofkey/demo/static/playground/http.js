// One real request and its real answer, kept as they went over the wire as far as a page can see it.

/** Send it. The exchange holds plain values only, so that it can be kept and shown again. */
export async function send({ method, url, headers = [], body = null }) {
  const sentAt = performance.now();
  const request = { method, url, headers, body };
  let answer;
  try {
    answer = await fetch(url, {
      method,
      headers,
      body,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(15_000),
    });
  } catch (problem) {
    throw new Error(`${new URL(url).origin} does not answer. Is it still running?`, { cause: problem });
  }
  const text = await answer.text();
  const response = {
    status: answer.status,
    reason: answer.statusText,
    headers: [...answer.headers].map(([name, value]) => [name, value]),
    body: text,
    json: parsed(text),
    took: Math.max(1, Math.round(performance.now() - sentAt)),
  };
  return { request, response };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What one would type into a shell to send the same. */
export function asCurl({ method, url, headers = [], body = null }) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = [`curl --include ${quoted(url)}`];
  if (method !== "GET") parts[0] = `curl --include --request ${method} ${quoted(url)}`;
  headers.filter(([name]) => name !== "Content-Type").forEach((header) => parts.push(`--header ${quoted(header.join(": "))}`));
  if (body !== null) body.split("&").forEach((pair) => parts.push(`--data ${quoted(pair)}`));
  return parts.join(" \\\n  ");
}

/** The slug in brackets at the end of a refusal's words. */
export function slugOf(response) {
  const told = response.json?.error_description ?? "";
  return /\[([a-z0-9_]+)\]$/.exec(told)?.[1] ?? null;
}
