// The issuer's metadata and keys, each asked for once; the browser's HTTP cache keeps them for the next page.
import type { Key } from "./id_token.js";
import { readMetadata, safe, type Endpoints } from "./protocol.js";
import type { ClientOptions } from "./options.js";
import { ask } from "./keeper.js";

/** The issuer's addresses, and its keys once they are here: what a login takes along. */
export interface Issuer extends Endpoints {
  jwks?: Key[];
}

/** The issuer's keys: those that are here, else (or *again*) its own; none where it does not answer. */
export const findKeys = async (issuer: Issuer, again?: boolean): Promise<Key[]> => {
  if (again || !issuer.jwks) {
    issuer.jwks = ((await ask(safe(issuer.jwks_uri), { cache: again ? "reload" : "default" })).body?.keys ?? []) as Key[];
  }
  return issuer.jwks;
};

const KEPT = "proofkey:"; // a marker has the client behind it
const KEPT_FOR = 300_000;

/**
 * Finds out about the issuer that the options name: once; again after a failure. What was found serves the pages of the next
 * five minutes: a login leaves at once.
 */
export const discovering = ({ issuer, endpoints }: ClientOptions): (() => Promise<Issuer>) => {
  let known: (Issuer & { foundAt?: number }) | undefined = endpoints && { ...endpoints };
  try {
    known ??= JSON.parse(localStorage[KEPT + issuer]);
  } catch {
    // Nothing there, or nothing that we wrote.
  }
  return async () => {
    // Neither a clock that was wrong nor a hand that was here once makes them count for longer.
    if (!endpoints && !((Date.now() - known?.foundAt!) ** 2 < KEPT_FOR ** 2)) {
      const answer = await ask(safe(issuer.replace(/\/$/, "") + "/.well-known/openid-configuration"));
      known = { ...readMetadata(answer, issuer), foundAt: Date.now() };
      localStorage[KEPT + issuer] = JSON.stringify(known);
    }
    return known!;
  };
};
