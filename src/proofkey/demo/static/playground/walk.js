// What the page has to remember while the browser is away at the issuer: one walk, one errand, what attacks showed.
//
// It is kept in this tab's sessionStorage, verifier and tokens included, so that the reader can look at everything again
// after coming back or reloading. That is right for a page that teaches with a development server, and for nothing else:
// an application keeps the verifier until it is used, and tokens in memory.

const KEPT_AS = "proofkey-playground";
const EMPTY = { reached: 1, secrets: null, url: null, leftAt: null, backAt: null, answer: null, exchanges: {}, tokens: null };

let kept = read();

function read() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT_AS));
    if (found?.version === 1) return found;
  } catch {
    // Not ours, or of another time: begin again.
  }
  return { version: 1, walk: { ...EMPTY }, errand: null, results: {}, open: null };
}

function write() {
  sessionStorage.setItem(KEPT_AS, JSON.stringify(kept));
}

/** The walk as it stands. */
export const walk = () => kept.walk;

/** Note what happened in the walk. */
export function note(changes) {
  kept.walk = { ...kept.walk, ...changes };
  write();
}

/** Begin again: nothing of the last walk stays; what the attacks showed does. */
export function beginAgain() {
  kept.walk = { ...EMPTY };
  kept.errand = null;
  write();
}

/** A sign-in of an attack's own, begun before the browser leaves. */
export function beginErrand(errand) {
  kept.errand = errand;
  write();
}

/** Take the errand that `state` belongs to; a second time there is nothing to take. */
export function takeErrand(state) {
  const errand = kept.errand;
  if (errand === null || errand.secrets.state !== state) return null;
  kept.errand = null;
  write();
  return errand;
}

/** The name of the attack whose sign-in is under way; undefined where there is none. */
export const underWay = () => kept.errand?.attack;

/** The attacks that run one after the other, by name. */
export const row = () => kept.row ?? [];

export function formRow(attacks) {
  kept.row = attacks;
  write();
}

/** What an attack showed, by its name; undefined before it ran. */
export const resultOf = (attack) => kept.results[attack];

/** The attack whose result is laid open; the others show their verdict alone. */
export const openAttack = () => kept.open;

export function open(attack) {
  kept.open = attack;
  write();
}

/** Keep what an attack showed, and lay it open. */
export function keepResult(attack, result) {
  kept.results = { ...kept.results, [attack]: result };
  open(attack);
}
