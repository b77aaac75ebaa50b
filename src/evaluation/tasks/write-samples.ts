import { writeText } from "../../platform/node.ts";
import type { Task, TaskScore } from "./task.ts";

/** The scores of one model. */
interface Scored {
  readonly model: string;
  readonly tasks: readonly TaskScore[];
}

/**
 * Writes a JSON line for each item: model, task, place of the item in it, its options, which of
 * them is right, their log-likelihoods in nats, and whether the answer was right; the original's
 * items last. Without a path nothing is written.
 */
export async function writeSamples(
  evaluation: Scored & { readonly original: Scored | null },
  tasks: readonly Task[],
  path: string | undefined,
): Promise<void> {
  if (path === undefined) return;
  const models = evaluation.original ? [evaluation, evaluation.original] : [evaluation];
  const lines = models.flatMap((scored) => linesOf(scored, tasks));
  await writeText(path, `${lines.join("\n")}\n`);
}

function linesOf(scored: Scored, tasks: readonly Task[]): string[] {
  return tasks.flatMap(({ name, items }, place) =>
    items.map(({ options, gold }, item) => {
      const contexts = options.map(({ context }) => context);
      const context = new Set(contexts).size === 1 ? contexts[0] : contexts;
      const continuations = options.map(({ continuation }) => continuation);
      const answer = scored.tasks[place]?.answers[item];
      const { model } = scored;
      return JSON.stringify({ model, task: name, item, context, continuations, gold, ...answer });
    }),
  );
}
