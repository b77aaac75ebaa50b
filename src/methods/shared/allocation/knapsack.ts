import {
  type AllocationItem,
  type AllocationProblem,
  type Assignment,
  damageOf,
  paretoChoices,
} from "./allocation-problem.ts";
import { dualBounds, type DualBounds } from "./dual-bounds.ts";
import { joinBlocks } from "./join-blocks.ts";

/** A partial assignment: of the items up to one. */
interface State {
  readonly costs: readonly number[];
  readonly damage: number;
  /** Choice of the last of these items. */
  readonly choice: number;
  /** The least that it can come to, by the Lagrangian bound. */
  readonly bound: number;
  /** What the items before it got. */
  readonly before: State | null;
}

/** Partial assignments that are kept at most; two budgets of hundreds of items may have more. */
const mostStates = 200_000;

/** What is known before items are added. */
interface Known {
  readonly limits: readonly number[];
  readonly bounds: DualBounds;
  /** What the best assignment that is known harms. */
  readonly best: number;
}

/**
 * Chooses a scheme for each item with the least damage in all, within all budgets: the
 * multiple-choice knapsack, solved exactly. Items are added one after the other; of partial
 * assignments those remain that no other one beats, and that could, by a Lagrangian bound on what
 * the other items harm at least, still become better than the best known (Dudzinski and Walukiewicz
 * 1987; Pisinger 1995). Pair terms join the items of a block to one. Where more than 200,000 remain,
 * which takes two budgets and hundreds of items, those of the least bounds are kept.
 * @returns null where not even the smallest choices fit
 */
export function solveKnapsack(problem: AllocationProblem): Assignment | null {
  if ((problem.pairs ?? []).length === 0) return solveItems(problem);
  const joined = joinBlocks(problem);
  const found = solveItems({ items: joined.items, limits: problem.limits });
  return found && joined.split(found);
}

function solveItems(problem: AllocationProblem): Assignment | null {
  const { limits } = problem;
  const kept = problem.items.map(({ choices }) => paretoChoices(choices));
  const items = problem.items.map((item, i) => ({
    ...item,
    choices: kept[i].map((choice) => item.choices[choice]),
  }));
  const bounds = dualBounds({ items, limits });
  const start = bounds.feasible && improve({ items, limits }, bounds.feasible);
  const best = start ? damageOf({ items, limits }, start) : Number.POSITIVE_INFINITY;
  let states: State[] = [
    { costs: limits.map(() => 0), damage: 0, choice: -1, bound: 0, before: null },
  ];
  for (const [i, item] of items.entries())
    states = extend(states, item, i, { limits, bounds, best });
  const end = states.reduce<State | null>(
    (least, state) => (least && least.damage <= state.damage ? least : state),
    null,
  );
  const found = end && end.damage < best ? choicesOf(end) : start;
  return found && found.map((choice, i) => kept[i][choice]);
}

/** Steps up, then exchanges: a good assignment bounds what the rest may be. */
function improve(problem: AllocationProblem, from: Assignment): Assignment {
  let best = raise(problem, from);
  for (;;) {
    const next = exchange(problem, best);
    if (!next) return best;
    best = raise(problem, next);
  }
}

/** The first changes of two items at once that harm less within all budgets; null without any. */
function exchange({ items, limits }: AllocationProblem, now: Assignment): Assignment | null {
  const used = limits.map((_, budget) =>
    items.reduce((total, { choices }, i) => total + choices[now[i]].costs[budget], 0),
  );
  const moves = items.flatMap(({ choices }, item) =>
    choices.flatMap((next, choice) => {
      const own = choices[now[item]];
      const steps = next.costs.map((cost, budget) => cost - own.costs[budget]);
      return choice === now[item] ? [] : [{ item, choice, steps, gain: own.damage - next.damage }];
    }),
  );
  moves.sort((a, b) => b.gain - a.gain);
  for (const a of moves) {
    if (a.gain <= 0) break;
    for (const b of moves) {
      if (a.gain + b.gain <= 1e-12 * a.gain) break;
      if (a.item === b.item) continue;
      const isOver = used.some((cost, i) => cost + a.steps[i] + b.steps[i] > limits[i]);
      if (isOver) continue;
      const next = [...now];
      next[a.item] = a.choice;
      next[b.item] = b.choice;
      return next;
    }
  }
  return null;
}

/** Takes steps up, the most damage saved for its cost first, for as long as there is room. */
function raise({ items, limits }: AllocationProblem, from: Assignment): Assignment {
  const assignment = [...from];
  const left = limits.map((limit, budget) =>
    items.reduce((rest, { choices }, i) => rest - choices[from[i]].costs[budget], limit),
  );
  for (;;) {
    let best: { item: number; choice: number; worth: number } | null = null;
    for (const [item, { choices }] of items.entries()) {
      const now = choices[assignment[item]];
      for (const [choice, next] of choices.entries()) {
        const steps = next.costs.map((cost, budget) => cost - now.costs[budget]);
        const gain = now.damage - next.damage;
        if (gain <= 0 || steps.some((step, budget) => step > left[budget])) continue;
        const share = steps.reduce(
          (sum, step, budget) => sum + Math.max(0, step) / limits[budget],
          0,
        );
        const worth = share === 0 ? Number.POSITIVE_INFINITY : gain / share;
        if (!best || worth > best.worth) best = { item, choice, worth };
      }
    }
    if (!best) return assignment;
    const { choices } = items[best.item];
    for (const budget of limits.keys()) {
      left[budget] -=
        choices[best.choice].costs[budget] - choices[assignment[best.item]].costs[budget];
    }
    assignment[best.item] = best.choice;
  }
}

/** Adds item `i` to all partial assignments of those before it. */
function extend(
  states: readonly State[],
  { choices }: AllocationItem,
  i: number,
  { limits, bounds, best }: Known,
): State[] {
  const { prices, least, smallest } = bounds;
  const limit = best + 1e-9 * Math.abs(best);
  const next: State[] = [];
  for (const before of states) {
    for (const [choice, { costs: own, damage: harm }] of choices.entries()) {
      const costs = own.map((cost, budget) => before.costs[budget] + cost);
      if (costs.some((cost, b) => cost + smallest[b][i + 1] > limits[b] * (1 + 1e-12))) continue;
      const damage = before.damage + harm;
      const left = costs.reduce((sum, cost, b) => sum + prices[b] * (limits[b] - cost), 0);
      const bound = damage + least[i + 1] - left;
      if (bound > limit) continue;
      next.push({ costs, damage, choice, bound, before });
    }
  }
  next.sort((a, b) => a.costs[0] - b.costs[0] || a.damage - b.damage);
  const remaining = unbeaten(next, limits.length);
  if (remaining.length <= mostStates) return remaining;
  return remaining.sort((a, b) => a.bound - b.bound).slice(0, mostStates);
}

function choicesOf(end: State): number[] {
  const choices: number[] = [];
  for (let state: State | null = end; state?.before; state = state.before)
    choices.push(state.choice);
  return choices.reverse();
}

/** Of states by their first cost, those that no earlier one beats in all else. */
function unbeaten(states: readonly State[], budgets: number): State[] {
  if (budgets === 1) {
    let least = Number.POSITIVE_INFINITY;
    return states.filter(({ damage }) => {
      const remains = damage < least;
      if (remains) least = damage;
      return remains;
    });
  }
  const stairs = new Staircase();
  return states.filter(({ costs, damage }) => stairs.add(costs[1], damage));
}

/** Pairs of which none is beaten by another one: by the first, the second falls. */
class Staircase {
  private readonly firsts: number[] = [];
  private readonly seconds: number[] = [];

  /** Adds a pair; false where one that is there beats it. */
  add(first: number, second: number): boolean {
    const { firsts, seconds } = this;
    let at = 0;
    for (let high = firsts.length; at < high; ) {
      const middle = (at + high) >> 1;
      if (firsts[middle] <= first) at = middle + 1;
      else high = middle;
    }
    if (at > 0 && seconds[at - 1] <= second) return false;
    let end = at;
    while (end < seconds.length && seconds[end] >= second) end++;
    const begin = at > 0 && firsts[at - 1] === first ? at - 1 : at;
    firsts.splice(begin, end - begin, first);
    seconds.splice(begin, end - begin, second);
    return true;
  }
}
