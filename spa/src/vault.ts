// Where the refresh token lies: in IndexedDB, sealed with AES-GCM under a key that no script can read (non-extractable).
//
// Every record has a key of its own, used once: so the nonce may be constant, and a key that leaked opens nothing that came
// later. What sealing is good for: no script can take key or token out, and nothing that searches files, backups or crash
// dumps for tokens finds one. What it is not: a browser keeps the key beside the box in the profile, so whoever has the
// whole profile has both; and a script in the page can ask this very code for a refresh.

/** Which session, after how many refreshes. */
export interface Turn {
  /** The newer of two sorts behind the older. */
  id: string;
  /** Who waited for a lock sees whether somebody was faster. */
  turn: number;
}

/** What is sealed, and whose it is. */
export interface Sealed {
  known: Turn;
}

const STORE = "sessions";
const AES = { name: "AES-GCM", length: 256, iv: new Uint8Array(12) };

const promised = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = reject;
  });

// Opened for one transaction and closed behind it: a connection that is kept stands in the way of whoever deletes the
// database, and is dead once the browser has cleared it.
const reach = async (): Promise<IDBObjectStore> => {
  const request = indexedDB.open("proofkey");
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  const database = await promised(request);
  const store = database.transaction(STORE, "readwrite").objectStore(STORE);
  database.close();
  return store;
};

/** What lies under *name*, if anything. */
export const load = async <S extends Sealed>(name: string): Promise<S | void> => {
  const found = await promised((await reach()).get(name));
  try {
    return await new Response(await crypto.subtle.decrypt(AES, found.key, found.sealed)).json();
  } catch {
    // What does not open now never will: it is as good as nothing.
  }
};

/** Put *next* (or nothing) in place of what *fits*, in one transaction; false where it does not fit. */
export const replace = async (name: string, fits: (found?: Turn) => boolean, next?: Sealed): Promise<boolean> => {
  let record: object | undefined;
  if (next) {
    const { id, turn } = next.known;
    const key = await crypto.subtle.generateKey(AES, false, ["encrypt", "decrypt"]);
    record = { id, turn, key, sealed: await crypto.subtle.encrypt(AES, key, new TextEncoder().encode(JSON.stringify(next))) };
  }
  const store = await reach();
  const isFitting = fits(await promised(store.get(name)));
  if (isFitting) await promised<unknown>((record ? store.put(record, name) : store.delete(name)) as IDBRequest<unknown>);
  return isFitting;
};
