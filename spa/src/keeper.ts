// The page's end of the keeper in worker.ts: started when it is first needed, in a worker or, failing that, in the page.
import type { Call, Keeper } from "./worker.js";

type Settle = [resolve: (said: any) => void, reject: (error: unknown) => void];

const waiting = new Map<number, [Call, ...Settle]>();
let number = 0;
let worker: Worker | undefined;
let inPage: Promise<Keeper> | undefined;

const answerInPage = async ([, method, ...given]: Call): Promise<unknown> =>
  ((await inPage!)[method] as (...all: unknown[]) => Promise<unknown>)(...given);

const startWorker = (): Worker => {
  const started = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  let answers = false;
  started.onmessage = ({ data: [answered, isDone, said] }) => {
    answers = true;
    waiting.get(answered)?.[isDone ? 1 : 2](said);
    waiting.delete(answered);
  };
  // A policy without `worker-src 'self'` shows here, not in the constructor: what was asked is then answered in the page.
  started.onerror = () => {
    if (answers) return;
    inPage = import("./worker.js").then((module) => module.keeper);
    for (const [call, resolve, reject] of waiting.values()) answerInPage(call).then(resolve, reject);
  };
  return started;
};

/** Ask the keeper; the first question starts it. */
export const callKeeper = <M extends keyof Keeper>(method: M, ...given: Parameters<Keeper[M]>): ReturnType<Keeper[M]> => {
  const call: Call = [++number, method, ...given];
  worker ??= startWorker();
  return (
    inPage
      ? answerInPage(call)
      : new Promise((resolve, reject) => {
          waiting.set(call[0], [call, resolve, reject]);
          worker!.postMessage(call);
        })
  ) as ReturnType<Keeper[M]>;
};
