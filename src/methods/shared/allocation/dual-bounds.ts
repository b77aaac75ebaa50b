import {
  type AllocationItem,
  type AllocationProblem,
  type Assignment,
  costsOf,
  damageOf,
} from "./allocation-problem.ts";

/** What the Lagrangian relaxation of a problem says. */
export interface DualBounds {
  /** Price of each budget: damage for a unit of it, from 0 up. */
  readonly prices: readonly number[];
  /** `least[i]`: the least that items from i on harm, what they take being paid for at the prices. */
  readonly least: Float64Array;
  /** `smallest[b][i]`: the least that items from i on take of budget b. */
  readonly smallest: readonly Float64Array[];
  /** The best assignment within all budgets that was met; null where none was. */
  readonly feasible: Assignment | null;
}

const halvings = 50;

/**
 * Finds prices of the budgets at which the relaxed problem harms the most, by bisection of the first
 * price, within which the next is bisected. Any prices give a bound that holds; these give the
 * closest one.
 */
export function dualBounds(problem: AllocationProblem): DualBounds {
  const { items, limits } = problem;
  const prices = limits.map(() => 0);
  const seen = new Met(problem);
  const top = highestPrices(problem);
  const settle = (budget: number): void => {
    if (budget === limits.length) return;
    let low = 0;
    let high = top[budget];
    for (let step = 0; step < halvings && high > 0; step++) {
      prices[budget] = step === 0 ? 0 : (low + high) / 2;
      settle(budget + 1);
      const assignment = items.map((item) => cheapest(item, prices));
      seen.add(assignment);
      if (costsOf(problem, assignment)[budget] > limits[budget]) low = prices[budget];
      else high = prices[budget];
    }
    prices[budget] = high;
    settle(budget + 1);
  };
  settle(0);
  seen.add(items.map((item) => cheapest(item, top)));
  return {
    prices,
    least: suffixSums(items, (item) => pricedDamage(item, cheapest(item, prices), prices)),
    smallest: limits.map((_, budget) =>
      suffixSums(items, ({ choices }) => Math.min(...choices.map(({ costs }) => costs[budget]))),
    ),
    feasible: seen.best,
  };
}

/** The best of the assignments within all budgets that were met. */
class Met {
  best: Assignment | null = null;
  private damage = Number.POSITIVE_INFINITY;
  private readonly problem: AllocationProblem;

  constructor(problem: AllocationProblem) {
    this.problem = problem;
  }

  add(assignment: Assignment): void {
    const { limits } = this.problem;
    if (costsOf(this.problem, assignment).some((cost, budget) => cost > limits[budget])) return;
    const damage = damageOf(this.problem, assignment);
    if (damage >= this.damage) return;
    this.damage = damage;
    this.best = assignment;
  }
}

/** Prices at which every item takes the least of a budget that it can. */
function highestPrices({ items, limits }: AllocationProblem): number[] {
  return limits.map((_, budget) => {
    let price = 0;
    for (const { choices } of items) {
      for (const a of choices) {
        for (const b of choices) {
          const step = a.costs[budget] - b.costs[budget];
          if (step > 0) price = Math.max(price, (b.damage - a.damage) / step);
        }
      }
    }
    return 2 * price + Number.MIN_VALUE;
  });
}

function cheapest(item: AllocationItem, prices: readonly number[]): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const choice of item.choices.keys()) {
    const priced = pricedDamage(item, choice, prices);
    // Of equal ones the smaller, which stands first.
    if (priced < least) [best, least] = [choice, priced];
  }
  return best;
}

function pricedDamage(
  { choices }: AllocationItem,
  choice: number,
  prices: readonly number[],
): number {
  const { costs, damage } = choices[choice];
  return prices.reduce((sum, price, budget) => sum + price * costs[budget], damage);
}

function suffixSums(
  items: readonly AllocationItem[],
  of: (item: AllocationItem) => number,
): Float64Array {
  const sums = new Float64Array(items.length + 1);
  for (let i = items.length - 1; i >= 0; i--) sums[i] = sums[i + 1] + of(items[i]);
  return sums;
}
