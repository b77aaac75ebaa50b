import {
  type AllocationItem,
  type AllocationProblem,
  type Assignment,
  damageOf,
  paretoChoices,
  type PairTerm,
} from "./allocation-problem.ts";

/** Items that each stand for all items of one block, and the way back. */
export interface JoinedBlocks {
  readonly items: readonly AllocationItem[];
  readonly split: (assignment: Assignment) => Assignment;
}

/**
 * Makes one item of each block, whose choices are the combinations of those of its items: what pairs
 * within the block harm together is then known of each, and the rest of a search need not know of
 * pairs. Combinations that others beat are left out.
 */
export function joinBlocks(problem: AllocationProblem): JoinedBlocks {
  const blocks = [...new Set(problem.items.map(({ block }) => block))];
  const joined = blocks.map((block) => joinBlock(problem, block));
  return {
    items: joined.map(({ item }) => item),
    split: (assignment) => {
      const whole = new Array<number>(problem.items.length).fill(0);
      for (const [i, { members, combinations }] of joined.entries()) {
        const chosen = combinations[assignment[i]];
        for (const [at, member] of members.entries()) whole[member] = chosen[at];
      }
      return whole;
    },
  };
}

interface JoinedBlock {
  readonly item: AllocationItem;
  /** Indices of the block's items. */
  readonly members: readonly number[];
  /** What each choice of the joined item means to these. */
  readonly combinations: readonly (readonly number[])[];
}

function joinBlock({ items, limits, pairs = [] }: AllocationProblem, block: number): JoinedBlock {
  const members = [...items.keys()].filter((i) => items[i].block === block);
  const own = {
    items: members.map((i) => items[i]),
    limits,
    pairs: pairs.flatMap((pair) => within(pair, members)),
  };
  const all = members.reduce<number[][]>(
    (lists, i) => lists.flatMap((list) => [...items[i].choices.keys()].map((c) => [...list, c])),
    [[]],
  );
  const choices = all.map((combination) => ({
    scheme: combination.map((choice, i) => own.items[i].choices[choice].scheme).join(" "),
    costs: limits.map((_, budget) =>
      combination.reduce((sum, choice, i) => sum + own.items[i].choices[choice].costs[budget], 0),
    ),
    damage: damageOf(own, combination),
  }));
  const kept = paretoChoices(choices);
  return {
    item: { name: `block ${block}`, block, choices: kept.map((i) => choices[i]) },
    members,
    combinations: kept.map((i) => all[i]),
  };
}

/** A pair by the places of its items among the members; none where one is elsewhere. */
function within({ first, second, damage }: PairTerm, members: readonly number[]): PairTerm[] {
  const places = [first, second].map(({ item }) => members.indexOf(item));
  if (places.includes(-1)) return [];
  const [a, b] = places;
  return [{ first: { ...first, item: a }, second: { ...second, item: b }, damage }];
}
