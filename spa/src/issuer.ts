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
    const { body } = await ask(safe(issuer.jwks_uri), { cache: again ? "reload" : "default" });
    issuer.jwks = (body?.keys ?? []) as Key[];
  }
  return issuer.jwks;
};

/** Finds out about the issuer that the options name: once; again after a failure. */
export const discovering = ({ issuer, endpoints }: ClientOptions): (() => Promise<Issuer>) => {
  let known: Issuer | undefined = endpoints;
  return async () =>
    (known ??= readMetadata(await ask(safe(issuer.replace(/\/$/, "") + "/.well-known/openid-configuration")), issuer));
};
