// Where the refresh token lies: in IndexedDB, sealed with AES-GCM under a key that no script can read (non-extractable).
//
// What this protects: a copied profile directory or storage dump opens nothing. What it does not: a script that runs in
// the page can ask this very code for a refresh.

/** A session as it lies in the vault; its secret part is sealed. */
export interface Sealed {
  /** The session's id: the newer of two sorts behind the older. */
  id: string;
  /** How often it was refreshed: who waited for a lock sees whether somebody was faster. */
  turn: number;
  iv: BufferSource;
  sealed: BufferSource;
}

const STORE = "kept";
const KEY = "key";

const promised = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

let opened: Promise<IDBDatabase> | undefined;

const store = async (mode: IDBTransactionMode): Promise<IDBObjectStore> => {
  opened ??= (() => {
    const request = indexedDB.open("proofkey", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    return promised(request);
  })();
  return (await opened).transaction(STORE, mode).objectStore(STORE);
};

/** The session kept under *name*. */
export const find = async (name: string): Promise<Sealed | undefined> => promised((await store("readonly")).get(name));

/** Keep *next* (or nothing) in place of a record that *fits*, in one transaction; false where it does not fit. */
export const replace = async (
  name: string,
  fits: (kept: Sealed | undefined) => boolean,
  next: Sealed | undefined,
): Promise<boolean> => {
  const kept = await store("readwrite");
  if (!fits(await promised(kept.get(name)))) return false;
  await promised<unknown>((next ? kept.put(next, name) : kept.delete(name)) as IDBRequest<unknown>);
  return true;
};

/** The key of this browser profile for this origin: made once, never seen. */
const findKey = async (): Promise<CryptoKey> => {
  const found = await promised<CryptoKey | undefined>((await store("readonly")).get(KEY));
  if (found) return found;
  const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const kept = await store("readwrite");
  const faster = await promised<CryptoKey | undefined>(kept.get(KEY)); // another tab's
  if (!faster) await promised(kept.put(made, KEY));
  return faster ?? made;
};

/** *secret* sealed, for the session *id* at its *turn*. */
export const seal = async (id: string, turn: number, secret: unknown): Promise<Sealed> => {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const bytes = new TextEncoder().encode(JSON.stringify(secret));
  return { id, turn, iv, sealed: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await findKey(), bytes) };
};

/** What was sealed. */
export const open = async ({ iv, sealed }: Sealed): Promise<any> =>
  JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, await findKey(), sealed)));
