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

/** A session with what is sealed. */
export interface Opened<T> extends Turn {
  secret: T;
}

const STORE = "sessions";
const AES = { name: "AES-GCM", length: 256, iv: new Uint8Array(12) };

const promised = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = reject;
  });

let database: Promise<IDBDatabase> | undefined;

const reach = async (): Promise<IDBObjectStore> => {
  if (!database) {
    const request = indexedDB.open("proofkey");
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    database = promised(request);
  }
  return (await database).transaction(STORE, "readwrite").objectStore(STORE);
};

/** What lies under *name*. */
export const load = async <T>(name: string): Promise<Opened<T> | undefined> => {
  const found = await promised((await reach()).get(name));
  return (
    found && {
      ...found,
      secret: await new Response(await crypto.subtle.decrypt(AES, found.key, found.sealed)).json(),
    }
  );
};

/** Put *next* (or nothing) in place of what *fits*, in one transaction; false where it does not fit. */
export const replace = async <T>(name: string, fits: (found?: Turn) => boolean, next?: Opened<T>): Promise<boolean> => {
  let record: object | undefined;
  if (next) {
    const { id, turn, secret } = next;
    const key = await crypto.subtle.generateKey(AES, false, ["encrypt", "decrypt"]);
    const bytes = new TextEncoder().encode(JSON.stringify(secret));
    record = { id, turn, key, sealed: await crypto.subtle.encrypt(AES, key, bytes) };
  }
  const store = await reach();
  const isFitting = fits(await promised(store.get(name)));
  if (isFitting) await promised<unknown>((record ? store.put(record, name) : store.delete(name)) as IDBRequest<unknown>);
  return isFitting;
};
