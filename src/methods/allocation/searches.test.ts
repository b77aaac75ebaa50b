import { describe, expect, it } from "vitest";
import { Prng } from "../../util/prng.ts";
import { searches } from "../allocation-searches.ts";
import {
  type AllocationProblem,
  type Assignment,
  fits,
  type Trial,
} from "../shared/allocation/allocation-problem.ts";
import { solveKnapsack } from "../shared/allocation/knapsack.ts";

/** Items whose damages are foreseen wrongly: what they really harm is `real`. */
function drawProblem(): { problem: AllocationProblem; real: number[][] } {
  const random = new Prng(4);
  const items = Array.from({ length: 8 }, (_, i) => ({
    name: `block ${i >> 1} ${i % 2 ? "mlp" : "attention"}`,
    block: i >> 1,
    choices: [2, 3, 4].flatMap((bits) =>
      ["", "a8"].map((inputs) => ({
        scheme: `w${bits}g64${inputs}`,
        costs: [100 * bits, bits * (inputs === "" ? 2 : 1)],
        damage: random.uniform() / bits,
      })),
    ),
  }));
  const real = items.map(({ choices }) =>
    choices.map(({ scheme }) => (random.uniform() + 0.2) / Number(scheme[1]) ** 2),
  );
  return { problem: { items, limits: [8 * 300, 8 * 5] }, real };
}

const small = {
  evolution: { generations: 8, offspring: 16, survivors: 4, tokens: 1 },
  ddpg: { episodes: 24, warmup: 10, width: 12, tokens: 1 },
} as const;

describe.each(Object.entries(searches))("%s", (id, search) => {
  const { problem, real } = drawProblem();
  const start = solveKnapsack(problem) ?? [];
  const harm = (assignment: Assignment): number =>
    assignment.reduce((sum, choice, item) => sum + real[item][choice], 0);

  /** Runs the search; with `until` it is stopped at that many saved states. */
  async function run(until = Number.POSITIVE_INFINITY, earlier: unknown = null) {
    const tried: Assignment[] = [];
    let state = earlier;
    let saved = 0;
    const found = search.search({
      problem,
      start,
      options: search.options.parse(small[id as keyof typeof small]),
      seed: 1,
      tryOut: async (assignment): Promise<Trial> => {
        tried.push(assignment);
        const divergence = harm(assignment);
        return { divergence, agreement: Math.exp(-divergence) };
      },
      state: {
        earlier: structuredClone(earlier),
        save: async (next) => {
          state = structuredClone(next);
          if (++saved === until) throw new Error("stopped");
        },
      },
      report: () => {},
    });
    const result = await found.catch(() => null);
    return { result, tried, state };
  }

  it("comes nearer to the original than what was foreseen, within all budgets", async () => {
    const { result, tried } = await run();
    expect(fits(problem, result?.assignment ?? [])).toBe(true);
    for (const assignment of tried) expect(fits(problem, assignment)).toBe(true);
    const random = tried.slice(0, 10).map(harm);
    expect(harm(result?.assignment ?? [])).toBeLessThan(Math.max(...random));
    if (id === "evolution") expect(harm(result?.assignment ?? [])).toBeLessThan(harm(start));
  });

  it("finds the same again, and when it was interrupted", async () => {
    const whole = await run();
    const stopped = await run(3);
    expect(stopped.result).toBeNull();
    const resumed = await run(Number.POSITIVE_INFINITY, stopped.state);
    expect(resumed.result).toEqual(whole.result);
    expect(resumed.tried.length).toBeLessThan(whole.tried.length);
  });
});
