import { monotonicMs } from "../../platform/node.ts";
import { throwIfCancelled } from "../../util/errors.ts";
import type { TaskProgress } from "../evaluation.ts";
import { encodeContinuation } from "../tasks/encode-continuation.ts";
import { summarize } from "../tasks/score-task.ts";
import type { Task, TaskScore } from "../tasks/task.ts";
import { inTurns } from "./in-turns.ts";
import type { PromptScorer } from "./score-prompt.ts";
import type { ServerTokenizer } from "./server-tokenizer.ts";
import { likeliestOf } from "./top-divergence.ts";

/** Where a server does not say how much it takes, it is asked and may refuse. */
const anyContext = 2 ** 31 - 1;

interface ScoreServerTaskOptions {
  readonly atOnce: number;
  readonly signal?: AbortSignal | undefined;
  readonly onTaskProgress?: ((progress: TaskProgress) => void) | undefined;
}

/**
 * Measures how often the model of a server answers rightly, by the rules of `scoreTask`.
 * @throws NetworkError UnsupportedError
 */
export async function scoreServerTask(
  scorer: PromptScorer,
  tokenizer: ServerTokenizer,
  task: Task,
  { atOnce, signal, onTaskProgress }: ScoreServerTaskOptions,
): Promise<TaskScore> {
  const options = task.items.flatMap((item) => item.options);
  await tokenizer.learn(
    options.flatMap(({ context, continuation }) => [context.trimEnd(), context + continuation]),
  );
  const contextLength = tokenizer.contextLength ?? anyContext;
  const windows = options.map((texts) => encodeContinuation(tokenizer, texts, contextLength - 1));
  const logLikelihoods = new Float64Array(options.length);
  const greedy = new Uint8Array(options.length);
  const startedMs = monotonicMs();
  let done = 0;
  const scored = inTurns(windows, atOnce, async ({ ids }) => {
    throwIfCancelled(signal);
    return scorer.score([...ids]);
  });
  for await (const [{ from, to }, score] of scored) {
    const own = score.logLikelihoods.subarray(from + 1, to + 1);
    logLikelihoods[done] = own.reduce((sum, value) => sum + value, 0);
    const isLikeliest = [...own].every((value, i) => {
      const top = score.tops[from + 1 + i];
      const best = top && likeliestOf(top);
      return top && best !== null && best !== undefined && (top.get(best) ?? 0) <= value;
    });
    greedy[done] = Number(isLikeliest);
    done++;
    const elapsedMs = monotonicMs() - startedMs;
    const remainingMs = (elapsedMs * (options.length - done)) / done;
    const totalOptions = options.length;
    onTaskProgress?.({ task: task.name, options: done, totalOptions, elapsedMs, remainingMs });
  }
  return summarize(task, { logLikelihoods, greedy });
}
