import { UsageError } from "../../util/errors.ts";
import { Prng } from "../../util/prng.ts";
import type { Task, TaskItem } from "./task.ts";

/** Stands behind each example. */
const separator = "\n\n";

/** Spreads consecutive numbers over the seeds of generators (the golden ratio times 2^32). */
const seedStride = 0x9e3779b1;

/** Which examples stand in front of the items. */
export interface FewShotOptions {
  /** Examples an item. */
  readonly shots: number;
  /** Seed of the choice of examples. */
  readonly seed: number;
  /** Items that examples are drawn from: the task's own, or those of another file. */
  readonly pool: readonly TaskItem[];
}

/**
 * Puts answered examples in front of each item. They are drawn from the pool at random, without the
 * item itself and without repetition; an item's examples depend on the seed and its place only.
 * @throws UsageError when the pool has too few other items
 */
export function withExamples(task: Task, { shots, seed, pool }: FewShotOptions): Task {
  if (shots === 0) return task;
  const texts = pool.map(answeredText);
  const items = task.items.map((item, index) => {
    const generator = new Prng(seed + Math.imul(index + 1, seedStride));
    const examples = drawOthers(texts, answeredText(item), shots, generator);
    if (examples) return prependExamples(item, examples);
    throw new UsageError(
      `${task.name}: ${shots} examples were asked for, there are too few items`,
      {
        hint: "ask for fewer with `shots`, or name a larger file with `shotsFrom`",
        field: "shots",
        value: shots,
      },
    );
  });
  return { ...task, items, shots };
}

/** Puts examples in front of all contexts of an item, each followed by an empty line. */
export function prependExamples(item: TaskItem, examples: readonly string[]): TaskItem {
  const front = examples.map((example) => `${example}${separator}`).join("");
  const options = item.options.map((option) => ({ ...option, context: front + option.context }));
  return { ...item, options };
}

/** An item with its right answer, as it stands among the examples. */
function answeredText({ options, gold }: TaskItem): string {
  const right = options[gold];
  return right ? right.context + right.continuation : "";
}

/** Draws texts other than one; null when there are too few. */
function drawOthers(
  texts: readonly string[],
  own: string,
  count: number,
  generator: Prng,
): string[] | null {
  const left = texts.map((_, index) => index);
  const drawn: string[] = [];
  while (drawn.length < count && left.length > 0) {
    const place = generator.below(left.length);
    const text = texts[left[place] ?? 0] ?? "";
    left[place] = left.at(-1) ?? 0;
    left.pop();
    if (text !== own) drawn.push(text);
  }
  return drawn.length === count ? drawn : null;
}
