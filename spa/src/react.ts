// React: one provider that deals with the answer of a login and follows the session, and one hook that reads it.
//
// Safe under StrictMode, which mounts everything twice: the client redeems an answer once, whoever asks how often, and the
// store below is subscribed and unsubscribed without a trace.
import { createContext, createElement, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from "react";
import type { Claims, Client, LoginResult } from "./index.js";

/** What `useProofkey()` gives. */
export interface ProofkeyState {
  /** `loading` until it is known whether somebody is signed in. */
  status: "loading" | "signedIn" | "signedOut";
  /** Who, or null. */
  user: Claims | null;
  /** Why the answer of a login could not be used, or the last renewal failed. */
  error: unknown;
  client: Client;
}

interface Store {
  subscribe(changed: () => void): () => void;
  read(): ProofkeyState;
  start(onSignedIn: ((result: LoginResult) => void) | undefined): void;
}

const openStore = (client: Client): Store => {
  const listeners = new Set<() => void>();
  let state: ProofkeyState = { status: "loading", user: null, error: undefined, client };
  let isStarted = false;
  const change = (next: Partial<ProofkeyState>): void => {
    state = { ...state, ...next };
    listeners.forEach((changed) => changed());
  };
  const see = (user: Claims | null): void => change({ status: user ? "signedIn" : "signedOut", user, error: undefined });
  // What is heard while loading is not settled: a session from the vault may turn out to have expired.
  const follow = (user: Claims | null): void => void (state.status !== "loading" && see(user));
  client.on("signedin", follow);
  client.on("signedout", () => follow(null));
  client.on("error", (error) => change({ error }));
  return {
    read: () => state,
    subscribe(changed) {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    start(onSignedIn) {
      if (isStarted) return;
      isStarted = true;
      client
        .handleCallback()
        .then(async (result) => {
          see(await client.user());
          if (result) onSignedIn?.(result);
        })
        .catch((error) => change({ status: "signedOut", user: null, error }));
    },
  };
};

// One store per client: a provider that is mounted twice, or again, finds what the first one knew.
const stores = new WeakMap<Client, Store>();

const findStore = (client: Client): Store => {
  const store = stores.get(client) ?? openStore(client);
  stores.set(client, store);
  return store;
};

const Context = createContext<Store | null>(null);

/**
 * Makes *client* known to the components below, and deals with the answer of a login. Make the client outside of components.
 * *onSignedIn* is told where the person wanted to go, for the app's router.
 *
 * @example
 * ```ts
 * createRoot(root).render(createElement(ProofkeyProvider, { client, onSignedIn: ({ target }) => navigate(target) }, createElement(App)));
 * ```
 */
export const ProofkeyProvider = (props: {
  client: Client;
  onSignedIn?: (result: LoginResult) => void;
  children?: ReactNode;
}): ReactNode => {
  const { client, onSignedIn, children } = props;
  const store = useMemo(() => findStore(client), [client]);
  useEffect(() => store.start(onSignedIn), [store]);
  return createElement(Context.Provider, { value: store }, children);
};

/**
 * Who is signed in, and the client. The component renders again when that changes, in whichever tab it changed.
 *
 * @example
 * ```ts
 * const Greeting = () => {
 *   const { status, user, client } = useProofkey();
 *   if (status !== "signedIn") return createElement("button", { onClick: () => client.login() }, "Sign in");
 *   return createElement("p", null, `Hello ${user?.name}`);
 * };
 * ```
 */
export const useProofkey = (): ProofkeyState => {
  const store = useContext(Context);
  if (!store) throw new Error("useProofkey() is called outside of <ProofkeyProvider>");
  return useSyncExternalStore(store.subscribe, store.read, store.read);
};
