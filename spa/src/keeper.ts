// The page's end of the keeper in worker.ts: started when it is first needed, in a worker or, failing that, in the page.
import type { keeper } from "./worker.js";

type Keeper = typeof keeper;
type Call = (...asked: unknown[]) => any;

const start = (): Promise<Call> =>
  new Promise((resolve) => {
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
    // A policy without `worker-src 'self'` shows here, not in the constructor.
    worker.onerror = () => resolve(import("./worker.js").then(({ answer }) => answer) as any);
  });

let started: Promise<Call> | undefined;

/** Ask the keeper; the first question starts it. */
export const callKeeper = async <M extends keyof Keeper>(
  method: M,
  ...given: Parameters<Keeper[M]>
): Promise<Awaited<ReturnType<Keeper[M]>>> => (await (started ??= start()))(method, ...given);
