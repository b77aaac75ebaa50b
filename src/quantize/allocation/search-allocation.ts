import { findSearch } from "../../methods/allocation-searches.ts";
import type {
  AllocationProblem,
  Assignment,
} from "../../methods/shared/allocation/allocation-problem.ts";
import { solveKnapsack } from "../../methods/shared/allocation/knapsack.ts";
import { sha256 } from "../../platform/node.ts";
import { readSearchOptions } from "../../recipe/expect-allocation.ts";
import { UsageError } from "../../util/errors.ts";
import type { DamageStore } from "./damage-store.ts";
import type { AllocationText } from "./read-windows.ts";
import type { AllocateOptions, Setting } from "./setting.ts";
import { TrialModel } from "./trial-model.ts";

/** What a search works with. */
interface Searching {
  readonly problem: AllocationProblem;
  readonly store: DamageStore;
  readonly text: AllocationText;
}

/**
 * Searches for the best assignment: the knapsack by what was foreseen, and what is asked for behind it.
 * @throws UsageError where none keeps all targets
 */
export async function searchAllocation(
  { opened, recipe, allocation, groups }: Setting,
  { problem, store, text }: Searching,
  { notify, signal }: AllocateOptions,
): Promise<{ readonly assignment: Assignment; readonly trials: number }> {
  const start = solveKnapsack(problem);
  if (!start) {
    throw new UsageError("no choice of bits keeps all targets at once", {
      hint: "ask for less speed or more bytes, or add `choices`",
      field: "allocation",
    });
  }
  const found = findSearch(allocation.search);
  if (!found) return { assignment: start, trials: 0 };
  const name = sha256(
    JSON.stringify([allocation.search, allocation.searchOptions, problem.limits, problem.items]),
  );
  const trials = await TrialModel.load(opened.model, groups, text.windows, signal);
  try {
    return await found.search({
      problem,
      start,
      options: readSearchOptions(allocation.search, allocation.searchOptions),
      seed: recipe.seed,
      tryOut: (assignment, tokens) => trials.tryOut(assignment, tokens),
      state: { earlier: store.search(name), save: (state) => store.saveSearch(name, state) },
      report: notify,
    });
  } finally {
    trials.release();
  }
}
