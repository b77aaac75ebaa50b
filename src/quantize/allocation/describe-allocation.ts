import type { Backend } from "../../backend/backend.ts";
import {
  type AllocationProblem,
  type Assignment,
  damageOf,
} from "../../methods/shared/allocation/allocation-problem.ts";
import { chainOf, type RecipeInput } from "../../recipe/recipe.ts";
import type { AllocationRecord } from "../../run/allocation-record.ts";
import { digestOf, flatten, identifyRun } from "../../run/identity.ts";
import { bitsOf, targetsOf } from "./allocation-budgets.ts";
import { weightsOf } from "./layer-groups.ts";
import { assignedRecipe } from "./plain-recipe.ts";
import { planSized } from "./planned-size.ts";
import type { AllocationText } from "./read-windows.ts";
import type { AllocateOptions, Setting } from "./setting.ts";
import { predictToken } from "./token-costs.ts";
import { findUniform } from "./uniform-scheme.ts";

/** Recipe of an allocation that was chosen. */
export interface Allocated {
  /** It says the scheme of each layer. */
  readonly recipe: RecipeInput;
  readonly record: AllocationRecord;
  /** The largest uniform scheme within the same budgets; null where there is none. */
  readonly uniform: { readonly id: string; readonly recipe: RecipeInput } | null;
  readonly text: AllocationText;
}

/** What was found. */
interface Outcome {
  readonly problem: AllocationProblem;
  readonly text: AllocationText;
  readonly assignment: Assignment;
  readonly trials: number;
}

/** Says what an assignment is: as a recipe, and for its record. */
export async function describeAllocation(
  setting: Setting,
  { problem, text, assignment, trials }: Outcome,
  { backend }: AllocateOptions,
): Promise<Allocated> {
  const { opened, recipe, allocation, groups, tables } = setting;
  const plain = assignedRecipe(setting, assignment);
  const { sizeBytes } = await planSized(opened, plain, { backend });
  const record: AllocationRecord = {
    identity: await identityOf(setting, backend),
    targets: targetsOf(allocation),
    measure: allocation.measure,
    search: allocation.search,
    trials,
    text: { windows: text.windows.length, window: text.windows[0]?.length ?? 0 },
    bitsPerWeight: bitsOf(groups, assignment),
    sizeBytes,
    damage: damageOf(problem, assignment),
    predicted: predictToken(setting.machine, groups, assignment),
    items: groups.map((group, i) => ({
      name: group.name,
      block: group.block,
      modules: group.linears.length,
      weights: weightsOf(group),
      scheme: group.options[assignment[i]].choice,
      options: problem.items[i].choices.map(({ scheme, costs, damage }) => ({
        scheme,
        bytes: costs[0],
        damage,
      })),
    })),
    embedding: (tables.embedding?.id ?? recipe.embedding) || null,
    head: (tables.head?.id ?? recipe.head) || null,
  };
  return { recipe: plain, record, text, uniform: uniformOf(setting) };
}

async function identityOf(
  { opened, recipe, allocation, machine }: Setting,
  backend: Backend,
): Promise<string> {
  const { stateFile: _, targetSize: __, machine: ___, ...choices } = allocation;
  const run = await identifyRun(opened.checkpoint, recipe, backend);
  const asked = {
    ...choices,
    ...targetsOf(allocation),
    ...(machine.table && { table: machine.table }),
  };
  return digestOf({ ...run, ...flatten("allocation", asked) });
}

function uniformOf(setting: Setting): Allocated["uniform"] {
  const { opened, recipe, allocation, groups, limit, second } = setting;
  const uniform = findUniform({
    groups,
    choices: allocation.choices,
    chain: chainOf(recipe),
    names: opened.config.names,
    limit,
    second,
  });
  if (!uniform) return null;
  const own = { ...setting, groups: uniform.groups };
  return {
    id: uniform.id,
    recipe: assignedRecipe(
      own,
      uniform.groups.map(() => 0),
    ),
  };
}
