// Signing out: here, in every tab, at the token endpoint (RFC 7009) and at the issuer (RP-initiated logout).
import type { Issuer } from "./issuer.js";
import { callKeeper } from "./keeper.js";
import type { ClientOptions } from "./options.js";
import { withQuery } from "./protocol.js";
import type { Session } from "./session.js";
import { readMarker } from "./storage.js";

/** How to sign out. */
export interface LogoutOptions {
  /** A registered address; the client's own if left out. */
  postLogoutRedirectUri?: string;
  /** Revoke the refresh token, and with it the grant. Default true. */
  revoke?: boolean;
  /** Go to the issuer, so that its own session ends. Default true; false: this app only. */
  redirect?: boolean;
}

/** Sign out. Resolves where nothing leads away from this page. */
export const signOut = async (
  options: ClientOptions,
  name: string,
  issuer: Issuer,
  session: Session,
  { postLogoutRedirectUri = options.postLogoutRedirectUri, revoke = true, redirect = true }: LogoutOptions = {},
): Promise<void> => {
  const { id, idToken } = session.now();
  const current = id || readMarker(name);
  session.signOut("logout"); // first, so that nothing that fails below keeps anybody signed in
  const endpoints = await issuer.endpoints().catch(() => undefined);
  const kept = await callKeeper("drop", name, current, revoke ? endpoints?.revocation_endpoint : undefined);
  if (!redirect || !endpoints?.end_session_endpoint) return;
  location.assign(
    withQuery(endpoints.end_session_endpoint, {
      id_token_hint: idToken ?? kept,
      client_id: options.clientId,
      post_logout_redirect_uri: postLogoutRedirectUri,
    }),
  );
  await new Promise(() => undefined);
};
