// The issuer's metadata and keys, each asked for once; the browser's HTTP cache keeps them for the next page.
import { ask } from "./http.js";
import { fetchKeys, type Key } from "./id_token.js";
import { checkEndpoints, readMetadata, type Endpoints } from "./protocol.js";
import type { ClientOptions } from "./options.js";

/** What is known of the issuer. */
export interface Issuer {
  /** Its addresses; asked for once, again after a failure. */
  endpoints(): Promise<Endpoints>;
  /** Addresses and keys ahead of need, so that a login finds them there. */
  prefetch(): Promise<void>;
  /** Its keys, if they are here. */
  keys: Key[] | undefined;
}

/** The issuer that *options* name. */
export const knowIssuer = ({ issuer, endpoints }: ClientOptions): Issuer => {
  let asked: Promise<Endpoints> | undefined = endpoints && Promise.resolve(checkEndpoints(endpoints));
  const known: Issuer = {
    keys: undefined,
    endpoints: () =>
      (asked ??= ask(issuer.replace(/\/$/, "") + "/.well-known/openid-configuration")
        .then((answer) => readMetadata(answer, issuer))
        .catch((error) => {
          asked = undefined;
          throw error;
        })),
    async prefetch() {
      const { jwks_uri } = await known.endpoints();
      if (jwks_uri) known.keys = await fetchKeys(jwks_uri);
    },
  };
  return known;
};
