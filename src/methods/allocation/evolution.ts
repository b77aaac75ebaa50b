import { z } from "zod";
import { Prng } from "../../util/prng.ts";
import {
  type AllocationProblem,
  type Assignment,
  costsOf,
  fits,
} from "../shared/allocation/allocation-problem.ts";
import { defineSearch } from "../shared/allocation/define-search.ts";

/** A generation that is done. */
interface Generation {
  readonly generation: number;
  readonly parent: readonly number[];
  readonly trials: number;
}

const positive = z.coerce.number().int().positive();

/**
 * EvoPress (arXiv 2410.14649) as it is run on types of GGUF files: offspring of the one parent have
 * a few layers a level up and others a level down, so that no budget is exceeded; in rounds on more
 * and more text those with the least divergence survive, the parent among them in the last.
 */
export default defineSearch({
  id: "evolution",
  title: "EvoPress",
  summary: "changes a few layers at a time and keeps what diverges least, measured",
  paper: { arxiv: "2410.14649" },
  options: z.object({
    generations: positive.default(30).describe("generations; published 50 to 250"),
    offspring: positive.default(32).describe("children of a generation; published 64 to 128"),
    survivors: positive.default(8).describe("of these after the first round; published 16"),
    tokens: positive.default(512).describe("tokens of the first round; published 2048"),
  }),
  async search({ problem, start, options, seed, tryOut, state, report }) {
    const { generations, offspring, survivors, tokens } = options;
    const earlier = state.earlier as Generation | null;
    let parent: Assignment = earlier?.parent ?? start;
    let trials = earlier?.trials ?? 0;
    for (let now = (earlier?.generation ?? 0) + 1; now <= generations; now++) {
      report(`generation ${now} of ${generations}`);
      // A generation draws by its own number, so that a resumed search goes on as it would have.
      const random = new Prng(seed + 7919 * now);
      let living = distinct(
        Array.from({ length: offspring }, () => mutate(problem, parent, random)),
        parent,
      );
      const rounds = [
        { keep: survivors, tokens },
        { keep: Math.max(1, Math.round(survivors / 4)), tokens: 4 * tokens },
        { keep: 1, tokens: 16 * tokens },
      ];
      for (const [round, { keep, tokens: seen }] of rounds.entries()) {
        if (round === rounds.length - 1) living = [parent, ...living];
        const scored: { assignment: Assignment; divergence: number }[] = [];
        for (const assignment of living) {
          const { divergence } = await tryOut(assignment, seen);
          scored.push({ assignment, divergence });
          trials++;
        }
        scored.sort((a, b) => a.divergence - b.divergence);
        living = scored.slice(0, keep).map(({ assignment }) => assignment);
      }
      parent = living[0] ?? parent;
      await state.save({ generation: now, parent: [...parent], trials } satisfies Generation);
    }
    return { assignment: parent, trials };
  },
});

function distinct(children: readonly Assignment[], parent: Assignment): Assignment[] {
  const known = new Set([parent.join()]);
  return children.filter((child) => {
    const isNew = !known.has(child.join());
    known.add(child.join());
    return isNew;
  });
}

/**
 * Level switches, `min(U{1..3}, U{1..3})` of them: an item goes up a level, and another one down,
 * one of equal size where there is one, until all budgets are kept.
 */
function mutate(problem: AllocationProblem, parent: Assignment, random: Prng): Assignment {
  const child = [...parent];
  const flips = Math.min(1 + random.below(3), 1 + random.below(3));
  for (let flip = 0; flip < flips; flip++) {
    const raised = drawItem(problem, random, (item) => upwards(problem, child, item) !== null);
    if (raised === null) break;
    const before = costsOf(problem, child);
    child[raised] = upwards(problem, child, raised) ?? child[raised];
    const extra = costsOf(problem, child)[0] - before[0];
    const moved = new Set([raised]);
    while (!fits(problem, child)) {
      const free = (item: number): boolean =>
        !moved.has(item) && downwards(problem, child, item) !== null;
      const frees = (item: number): number => {
        const { choices } = problem.items[item];
        const lower = downwards(problem, child, item) ?? child[item];
        return choices[child[item]].costs[0] - choices[lower].costs[0];
      };
      const lowered =
        drawItem(problem, random, (item) => free(item) && frees(item) === extra) ??
        drawItem(problem, random, free);
      if (lowered === null) return parent;
      child[lowered] = downwards(problem, child, lowered) ?? child[lowered];
      moved.add(lowered);
    }
  }
  return child;
}

function drawItem(
  { items }: AllocationProblem,
  random: Prng,
  may: (item: number) => boolean,
): number | null {
  const possible = [...items.keys()].filter(may);
  return possible.length > 0 ? possible[random.below(possible.length)] : null;
}

/** The next larger choice of an item; null at the largest. */
function upwards({ items }: AllocationProblem, now: Assignment, item: number): number | null {
  return nextChoice(items[item].choices, now[item], (cost, own) => cost > own, -1);
}

function downwards({ items }: AllocationProblem, now: Assignment, item: number): number | null {
  return nextChoice(items[item].choices, now[item], (cost, own) => cost < own, 1);
}

function nextChoice(
  choices: AllocationProblem["items"][number]["choices"],
  now: number,
  beyond: (cost: number, own: number) => boolean,
  sign: number,
): number | null {
  const own = choices[now].costs[0];
  let best: number | null = null;
  for (const [choice, { costs }] of choices.entries()) {
    if (!beyond(costs[0], own)) continue;
    if (best === null || sign * (costs[0] - choices[best].costs[0]) > 0) best = choice;
  }
  return best;
}
