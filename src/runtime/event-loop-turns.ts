import { monotonicMs } from "../platform/node.ts";

/** Lets timers and signals run now and then, where kernels run on the caller's thread. */
export function eventLoopTurns(): () => Promise<void> {
  let last = monotonicMs();
  return async () => {
    if (monotonicMs() - last < 50) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = monotonicMs();
  };
}
