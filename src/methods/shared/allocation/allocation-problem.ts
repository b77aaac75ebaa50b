/** One way in which an item may be stored. */
export interface AllocationChoice {
  /** Id of its scheme. */
  readonly scheme: string;
  /** What it takes of each budget, in the order of `AllocationProblem.limits`; whole bytes first. */
  readonly costs: readonly number[];
  /** How much it is expected to harm, from 0 up, in a unit that all items share. */
  readonly damage: number;
}

/** Layers that share a scheme. */
export interface AllocationItem {
  readonly name: string;
  /** Index of their block. */
  readonly block: number;
  readonly choices: readonly AllocationChoice[];
}

/** What two items of one block harm together beyond what each harms by itself (BRECQ). */
export interface PairTerm {
  /** Indices of the items, and of a choice of each. */
  readonly first: { readonly item: number; readonly choice: number };
  readonly second: { readonly item: number; readonly choice: number };
  readonly damage: number;
}

/** Which scheme each item gets, so that no budget is exceeded. */
export interface AllocationProblem {
  readonly items: readonly AllocationItem[];
  /** The most that all items together may take of each budget. */
  readonly limits: readonly number[];
  readonly pairs?: readonly PairTerm[];
}

/** Index of the choice of each item. */
export type Assignment = readonly number[];

/** What a model that was made by an assignment does to a text. */
export interface Trial {
  /** Mean KL divergence from the original, in nats. */
  readonly divergence: number;
  /** Share of tokens whose most likely next token is the original's, 0 to 1. */
  readonly agreement: number;
}

/** Where a search of many trials keeps how far it has come. */
export interface SearchState {
  /** What an interrupted search left; null where there is nothing. */
  readonly earlier: unknown;
  save(state: unknown): Promise<void>;
}

/** A search that tries assignments on the model itself. */
export interface TrialSearch<Options> {
  readonly problem: AllocationProblem;
  /** What the knapsack found. */
  readonly start: Assignment;
  readonly options: Options;
  readonly seed: number;
  /** Measures an assignment on the first `tokens` of the text. */
  readonly tryOut: (assignment: Assignment, tokens: number) => Promise<Trial>;
  readonly state: SearchState;
  readonly report: (activity: string) => void;
}

/** What such a search came to. */
export interface FoundAssignment {
  readonly assignment: Assignment;
  /** Trials that were run. */
  readonly trials: number;
}

/** Adds up what an assignment takes of each budget. */
export function costsOf({ items, limits }: AllocationProblem, assignment: Assignment): number[] {
  return limits.map((_, budget) =>
    items.reduce((sum, { choices }, i) => sum + choices[assignment[i]].costs[budget], 0),
  );
}

/** Whether an assignment keeps to all budgets. */
export function fits(problem: AllocationProblem, assignment: Assignment): boolean {
  return costsOf(problem, assignment).every((cost, budget) => cost <= problem.limits[budget]);
}

/** Adds up what an assignment is expected to harm, pairs included. */
export function damageOf({ items, pairs = [] }: AllocationProblem, assignment: Assignment): number {
  const single = items.reduce((sum, { choices }, i) => sum + choices[assignment[i]].damage, 0);
  const holds = ({ item, choice }: PairTerm["first"]): boolean => assignment[item] === choice;
  return pairs.reduce(
    (sum, { first, second, damage }) => (holds(first) && holds(second) ? sum + damage : sum),
    single,
  );
}

/**
 * Leaves out choices than which another takes no more of any budget and harms no more; of equal
 * ones the first stays. What remains harms less the more it takes.
 * @returns indices of the choices that remain, by the first cost
 */
export function paretoChoices(choices: readonly AllocationChoice[]): number[] {
  const beats = (a: AllocationChoice, b: AllocationChoice): boolean =>
    a.damage <= b.damage && a.costs.every((cost, budget) => cost <= b.costs[budget]);
  return [...choices.keys()]
    .filter((i) =>
      choices.every((other, j) => {
        if (j === i || !beats(other, choices[i])) return true;
        return beats(choices[i], other) && i < j;
      }),
    )
    .sort((i, j) => choices[i].costs[0] - choices[j].costs[0]);
}
