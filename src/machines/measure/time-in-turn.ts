import { monotonicMs, processorMs } from "../../platform/node.ts";
import { throwIfCancelled } from "../../util/errors.ts";
import type { TableTiming } from "../machine-table.ts";

/** How long something took, and how long all cores worked for it, in seconds. */
export interface Seconds {
  readonly elapsed: number;
  readonly processor: number;
}

/** Takes the times of some work. */
export async function takeTimes(work: () => Promise<unknown>): Promise<Seconds> {
  const [started, used] = [monotonicMs(), processorMs()];
  await work();
  return {
    elapsed: (monotonicMs() - started) / 1000,
    processor: (processorMs() - used) / 1000,
  };
}

/** A piece of work that is timed. */
export interface TimedTask {
  /** Does it; resolves to its times where it takes them itself. */
  readonly run: () => Promise<Seconds | void>;
  /** Calls that it makes: the time is that of one. Default 1. */
  readonly per?: number;
}

/**
 * Times tasks in turn, A B C A B C …, so that all see the same drift of the machine's speed; the first
 * round does not count.
 * @returns seconds, in the order of the tasks
 * @throws CancelledError when `signal` is aborted
 */
export async function timeInTurn(
  tasks: readonly TimedTask[],
  rounds: number,
  signal?: AbortSignal,
): Promise<TableTiming[]> {
  const runs: Seconds[][] = tasks.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { run, per = 1 }] of tasks.entries()) {
      throwIfCancelled(signal);
      const { elapsed, processor } = await timesOf(run);
      if (round > 0) runs[index].push({ elapsed: elapsed / per, processor: processor / per });
    }
  }
  return runs.map(timingOf);
}

async function timesOf(run: TimedTask["run"]): Promise<Seconds> {
  let own: Seconds | void = undefined;
  const taken = await takeTimes(async () => {
    own = await run();
  });
  return own ?? taken;
}

/** Medians, least and most of some runs, of which there is one at least. */
export function timingOf(runs: readonly Seconds[]): TableTiming {
  const elapsed = runs.map((run) => run.elapsed).sort((a, b) => a - b);
  return {
    median: medianOf(elapsed),
    least: elapsed[0],
    most: elapsed[elapsed.length - 1],
    processor: medianOf(runs.map((run) => run.processor).sort((a, b) => a - b)),
  };
}

function medianOf(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return (sorted[sorted.length % 2 === 1 ? middle : middle - 1] + sorted[middle]) / 2;
}
