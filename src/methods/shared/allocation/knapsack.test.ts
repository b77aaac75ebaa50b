import { describe, expect, it } from "vitest";
import { Prng } from "../../../util/prng.ts";
import {
  type AllocationProblem,
  type Assignment,
  costsOf,
  damageOf,
  fits,
  type PairTerm,
} from "./allocation-problem.ts";
import { solveKnapsack } from "./knapsack.ts";

function drawProblem(
  seed: number,
  { items = 6, budgets = 1, pairs = false } = {},
): AllocationProblem {
  const random = new Prng(seed);
  const drawn = Array.from({ length: items }, (_, i) => {
    const size = 1 + random.below(20);
    return {
      name: `item ${i}`,
      block: Math.floor(i / 3),
      choices: [2, 3, 4, 8].map((bits) => ({
        scheme: `w${bits}`,
        costs: Array.from({ length: budgets }, (__, b) =>
          b === 0 ? size * bits + random.below(3) : random.uniform() * 10,
        ),
        damage: (size * random.uniform() * 4) / bits,
      })),
    };
  });
  const totals = Array.from({ length: budgets }, (_, b) =>
    drawn.map(({ choices }) => choices.map(({ costs }) => costs[b])),
  );
  const limits = totals.map((lists) => {
    const [low, high] = [Math.min, Math.max].map((pick) =>
      lists.reduce((sum, list) => sum + pick(...list), 0),
    );
    return low + (high - low) * (0.15 + 0.5 * random.uniform());
  });
  return { items: drawn, limits, ...(pairs && { pairs: drawPairs(items, random) }) };
}

function drawPairs(items: number, random: Prng): PairTerm[] {
  const terms: PairTerm[] = [];
  for (let a = 0; a < items; a++) {
    for (let b = a + 1; b < items; b++) {
      if (Math.floor(a / 3) !== Math.floor(b / 3)) continue;
      const [first, second] = [a, b].map((item) => ({ item, choice: 0 }));
      terms.push({ first, second, damage: 4 * random.uniform() - 1 });
    }
  }
  return terms;
}

/** The best of all assignments. */
function tryAll(problem: AllocationProblem): Assignment | null {
  let best: Assignment | null = null;
  const visit = (chosen: readonly number[]): void => {
    const item = problem.items[chosen.length];
    if (item) {
      for (const choice of item.choices.keys()) visit([...chosen, choice]);
    } else if (fits(problem, chosen)) {
      if (!best || damageOf(problem, chosen) < damageOf(problem, best)) best = chosen;
    }
  };
  visit([]);
  return best;
}

const cases = [
  { title: "one budget", options: {} },
  { title: "two budgets", options: { budgets: 2 } },
  { title: "pair terms", options: { pairs: true } },
];

describe("solveKnapsack", () => {
  it.each(cases)("finds what trying all finds: $title", ({ options }) => {
    for (let seed = 0; seed < 40; seed++) {
      const problem = drawProblem(seed, options);
      const all = tryAll(problem);
      const found = solveKnapsack(problem);
      expect(found === null).toBe(all === null);
      if (!found || !all) continue;
      expect(fits(problem, found)).toBe(true);
      expect(damageOf(problem, found)).toBeCloseTo(damageOf(problem, all), 9);
    }
  });

  it("says that nothing fits where the smallest choices do not", () => {
    const problem = drawProblem(1);
    const smallest = costsOf(
      problem,
      problem.items.map(() => 0),
    )[0];
    expect(solveKnapsack({ ...problem, limits: [smallest] })).not.toBeNull();
    expect(solveKnapsack({ ...problem, limits: [smallest / 4] })).toBeNull();
  });

  it("fills a budget of many items to within a thousandth, and never more", () => {
    const problem = drawProblem(5, { items: 200 });
    const found = solveKnapsack(problem);
    const [cost] = costsOf(problem, found ?? []);
    expect(cost).toBeLessThanOrEqual(problem.limits[0]);
    expect(cost).toBeGreaterThan(0.999 * problem.limits[0]);
  });

  it("stays exact where a choice costs more and harms more than another", () => {
    const item = (damages: readonly number[]) => ({
      name: "x",
      block: 0,
      choices: damages.map((damage, i) => ({ scheme: `w${i}`, costs: [i + 1], damage })),
    });
    const problem = { items: [item([5, 7, 1]), item([4, 3, 3.5])], limits: [5] };
    expect(solveKnapsack(problem)).toEqual([2, 1]);
  });
});
