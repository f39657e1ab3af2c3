// The page's end of the keeper in worker.ts: in a worker, started when it is first needed, or in the page itself.
import { answer, ask, type Call } from "./worker.js";

/** Ask the keeper in this page: sooner there than a worker, for what the page knows anyway. */
export { answer as callHere, ask };

type Ask = (...asked: unknown[]) => Promise<unknown>;

const start = (): Promise<Ask> =>
  new Promise<Ask>((resolve, reject) => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.onmessage = () =>
      resolve(
        (...asked) =>
          new Promise((answered) => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = ({ data }) => answered(data);
            worker.postMessage(asked, [port2]);
          }),
      );
    worker.onerror = reject;
    // A policy without `worker-src 'self'` shows in an event; a script of another origin, and Trusted Types, in the constructor.
  }).catch(() => answer as Ask);

let started: Promise<Ask> | undefined;

/** Ask the keeper in its worker; the first question starts it. */
export const callKeeper = (async (...asked) => (await (started ??= start()))(...asked)) as Ask as Call;
