import {
  type AllocationProblem,
  type Assignment,
  damageOf,
} from "../../methods/shared/allocation/allocation-problem.ts";
import { findSearch } from "../../methods/allocation-searches.ts";
import { solveKnapsack } from "../../methods/shared/allocation/knapsack.ts";
import { absolutePath, baseName, joinPath, parentPath, sha256 } from "../../platform/node.ts";
import { fittingType } from "../../quant/mixture-type.ts";
import { parseScheme, type Scheme } from "../../quant/scheme.ts";
import { readSearchOptions } from "../../recipe/expect-allocation.ts";
import { chainOf, type Recipe, type RecipeInput } from "../../recipe/recipe.ts";
import type { AllocationRecord } from "../../run/allocation-record.ts";
import { digestOf, flatten, identifyCheckpoint, identifyRun } from "../../run/identity.ts";
import type { RunOptions } from "../../run/quantization-job.ts";
import type { OpenedModel } from "../../runtime/load.ts";
import { parseByteSize } from "../../util/byte-size.ts";
import { UsageError } from "../../util/errors.ts";
import { sum } from "../../util/sums.ts";
import { version } from "../../util/version.ts";
import { isGgufOutput } from "../gguf-run.ts";
import { selectLinears } from "../select-linears.ts";
import {
  bitsOf,
  type CostBudget,
  costBudget,
  expectReachable,
  targetsOf,
  tokenCosts,
} from "./allocation-budgets.ts";
import { DamageStore } from "./damage-store.ts";
import { type LayerGroup, layerGroups, weightsOf } from "./layer-groups.ts";
import { measureGroups, measurePairs } from "./measure-groups.ts";
import { type ChosenSchemes, plainRecipe } from "./plain-recipe.ts";
import { planSized } from "./planned-size.ts";
import { type AllocationText, readAllocationText } from "./read-windows.ts";
import type { MachineCosts } from "../../run/machine-costs.ts";
import { tableScheme } from "./table-schemes.ts";
import { TrialModel } from "./trial-model.ts";
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

/** What choosing needs besides the recipe. */
export type AllocateOptions = Pick<RunOptions, "backend" | "sharedFolder" | "signal"> & {
  readonly machine?: MachineCosts | undefined;
  readonly notify: (message: string) => void;
};

type Allocation = NonNullable<Recipe["allocation"]>;

/** What is settled before anything is measured. */
interface Setting {
  readonly opened: OpenedModel;
  readonly recipe: Recipe;
  readonly allocation: Allocation;
  readonly groups: readonly LayerGroup[];
  readonly tables: Pick<ChosenSchemes, "embedding" | "head">;
  readonly second: CostBudget | null;
  /** Of the layers that are allocated, in bytes. */
  readonly limit: number;
}

/**
 * Chooses a scheme for each layer as a recipe's `allocation` asks. Embedding and head must be loaded,
 * and are when it is done.
 * @throws UsageError for a target that the choices cannot meet, before anything is measured
 */
export async function allocate(
  opened: OpenedModel,
  recipe: Recipe,
  options: AllocateOptions,
): Promise<Allocated> {
  const { allocation } = recipe;
  if (!allocation) throw new UsageError("expected a recipe with an allocation");
  const setting = await settle(opened, recipe, options);
  const text = await readAllocationText(opened, recipe, options);
  if (text.overlaps) {
    options.notify("the text is short: what is compared on has been seen in the calibration");
  }
  const store = await openStore(setting, text, options);
  const { groups, second } = setting;
  const work = { ...workOf(setting, text, store, options), groups };
  await measureGroups(work);
  const pairs = allocation.pairs ? await measurePairs(work) : [];
  const items = groups.map((group) => {
    const costs = second && tokenCosts(group, second.costs);
    return {
      name: group.name,
      block: group.block,
      choices: group.options.map(({ choice, bytes }, i) => ({
        scheme: choice,
        costs: [bytes, ...(costs ? [costs[i]] : [])],
        damage: store.damage(group.name, choice) ?? 0,
      })),
    };
  });
  const limits = [setting.limit, ...(second ? [second.limit] : [])];
  const problem = { items, limits, ...(pairs.length > 0 && { pairs }) };
  const found = await search(setting, { problem, store, text }, options);
  return describe(setting, { problem, text, ...found }, options);
}

/** Settles what can be known without the text, and refuses what cannot work. */
async function settle(
  opened: OpenedModel,
  recipe: Recipe,
  options: AllocateOptions,
): Promise<Setting> {
  const { model, config, carried, sizes } = opened;
  const allocation = recipe.allocation as Allocation;
  const { choices, targetBpw, targetSize } = allocation;
  const second = costBudget(allocation, options.machine ?? {});
  const rules = { gates: model.gates(), carried };
  const [first, other] = choices
    .slice(0, 2)
    .map((scheme) => selectLinears(model.linears(), { ...recipe, scheme }, rules));
  // What a pattern of the recipe names keeps its scheme, whatever the choice.
  const free = first.filter(({ scheme }, i) => scheme && scheme.id !== other[i].scheme?.id);
  const groups = layerGroups(free, choices, config.names);
  expectOptions(groups, allocation);
  const bits = targetBpw ?? (8 * parseByteSize(targetSize ?? "0")) / sizes.parameters;
  const setting = {
    opened,
    recipe,
    allocation,
    groups,
    tables: chooseTables(opened, recipe, bits),
    second,
  };
  for (const choice of choices) await expectContainer(setting, choice, options);
  const limit = Math.min(
    limitByBits(
      setting,
      first.filter(({ scheme }) => scheme === null),
    ),
    await limitBySize(setting, options),
  );
  return { ...setting, limit };
}

/** @throws UsageError where nothing is free, or layers cannot be stored in any choice */
function expectOptions(groups: readonly LayerGroup[], { choices }: Allocation): void {
  if (groups.length === 0) {
    throw new UsageError("no layer is left to choose bits for", {
      hint: "name fewer in `layers` and `ignore`",
      field: "layers",
    });
  }
  const none = groups.find(({ options }) => options.length === 0);
  if (!none) return;
  const columns = none.linears.map(({ inFeatures }) => inFeatures).join(", ");
  throw new UsageError(`${none.name} has rows of ${columns} columns, which no choice can hold`, {
    hint: "add `choices` such as q8_0, or w4g64",
    field: "allocation.choices",
    value: choices,
  });
}

/** Embedding and output head, unless they stay or the recipe says what becomes of them. */
function chooseTables(
  { model }: OpenedModel,
  { embedding, head, allocation, method, transforms, finishers }: Recipe,
  bits: number,
): Setting["tables"] {
  const { tables: how, targetSize, choices } = allocation as Allocation;
  const wanted = how ?? (targetSize === undefined ? "keep" : "choose");
  const trains = chainOf({ method, transforms, finishers }).some(({ trainModel }) => trainModel);
  const chosen: Record<string, Scheme> = {};
  for (const { roles, inFeatures } of model.embeddingAndHead()) {
    const isNamed = roles.some((role) => (role === "head" ? head : embedding) !== null);
    if (wanted === "keep" || isNamed || trains) continue;
    const asked = tableScheme(roles, choices, bits);
    const type = asked.blocks ? fittingType(asked.blocks.id, inFeatures) : asked.id;
    if (type !== "f16" && type !== "bf16") chosen[roles[0]] = parseScheme(type);
  }
  return { embedding: chosen.embedding ?? null, head: chosen.head ?? null };
}

/** @throws UnsupportedError where the file that is written cannot hold a choice */
async function expectContainer(
  setting: Omit<Setting, "limit">,
  choice: string,
  options: AllocateOptions,
): Promise<void> {
  const { opened, recipe, groups } = setting;
  if (!isGgufOutput(recipe)) return;
  const uniform = groups.map((group) => {
    const at = group.options.findIndex((option) => option.choice === choice);
    return Math.max(0, at);
  });
  await planSized(opened, recipeOf(setting, uniform), options);
}

function limitByBits(
  { opened, allocation, groups }: Omit<Setting, "limit">,
  floats: readonly { readonly outFeatures: number; readonly inFeatures: number }[],
): number {
  const { targetBpw } = allocation;
  if (targetBpw === undefined) return Number.POSITIVE_INFINITY;
  const { linear } = opened.sizes;
  const left = sum(floats.map(({ outFeatures, inFeatures }) => outFeatures * inFeatures));
  const free = sum(groups.map(weightsOf));
  const beside = (left * linear.bitsPerWeight) / 8;
  const weights = free + left;
  const allowed = Math.floor((targetBpw * weights) / 8 - beside + 1e-6);
  expectReachable(groups, { allowed, beside }, { field: "targetBpw", value: targetBpw, weights });
  return allowed;
}

async function limitBySize(
  setting: Omit<Setting, "limit">,
  options: AllocateOptions,
): Promise<number> {
  const { opened, allocation, groups } = setting;
  const { targetSize } = allocation;
  if (targetSize === undefined) return Number.POSITIVE_INFINITY;
  const smallest = groups.map((group) => smallestOf(group));
  const { sizeBytes } = await planSized(opened, recipeOf(setting, smallest), options);
  const beside = sizeBytes - sum(groups.map(({ options: own }, i) => own[smallest[i]].bytes));
  // Numbers in headers may have some more digits where layers are larger.
  const allowed = parseByteSize(targetSize) - beside - 8 * groups.length;
  const asked = { field: "targetSize", value: targetSize, weights: null };
  expectReachable(groups, { allowed, beside }, asked);
  return allowed;
}

function smallestOf({ options }: LayerGroup): number {
  return options.reduce((least, { bytes }, i) => (bytes < options[least].bytes ? i : least), 0);
}

function recipeOf(
  { opened, recipe, groups, tables }: Omit<Setting, "limit">,
  assignment: Assignment,
): RecipeInput & { readonly scheme: string } {
  const linears = new Map<string, Scheme>();
  for (const [i, group] of groups.entries()) {
    const { schemes } = group.options[assignment[i]];
    for (const [at, { module }] of group.linears.entries()) linears.set(module, schemes[at]);
  }
  return plainRecipe(recipe, opened.model.linears(), { linears, ...tables });
}

async function openStore(
  { opened, recipe, allocation, groups }: Setting,
  { windows }: AllocationText,
  { notify }: AllocateOptions,
): Promise<DamageStore> {
  const { out, transforms, seed } = recipe;
  const beside = joinPath(parentPath(absolutePath(out)), `${baseName(out)}.allocation.json`);
  const text = sha256(Int32Array.from(windows.flatMap((window) => [...window])));
  const key = digestOf({
    ...(await identifyCheckpoint(opened.checkpoint)),
    version,
    text,
    window: `${windows[0]?.length ?? 0}`,
    measure: allocation.measure,
    transforms: JSON.stringify(transforms),
    seed: `${seed}`,
  });
  const store = await DamageStore.open(allocation.stateFile ?? beside, key);
  if (store.wasThere) {
    const known = groups.filter(({ name, options }) =>
      options.every(({ choice }) => store.damage(name, choice) !== undefined),
    );
    const share = known.length === groups.length ? "all" : `${known.length} of ${groups.length}`;
    notify(`damages of ${share} layers are taken from ${store.path}`);
  }
  return store;
}

function workOf(
  { opened, recipe, allocation }: Setting,
  { windows }: AllocationText,
  store: DamageStore,
  { notify, signal }: AllocateOptions,
) {
  const folder = joinPath(parentPath(absolutePath(recipe.out)), `.${baseName(recipe.out)}.damages`);
  return {
    model: opened.model,
    windows,
    measure: allocation.measure,
    store,
    folder: recipe.cacheOnDisk ? folder : null,
    report: notify,
    signal,
  };
}

/** What a search works with. */
interface Searching {
  readonly problem: AllocationProblem;
  readonly store: DamageStore;
  readonly text: AllocationText;
}

async function search(
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

/** What was found. */
interface Outcome {
  readonly problem: AllocationProblem;
  readonly text: AllocationText;
  readonly assignment: Assignment;
  readonly trials: number;
}

async function describe(
  setting: Setting,
  { problem, text, assignment, trials }: Outcome,
  options: AllocateOptions,
): Promise<Allocated> {
  const { opened, recipe, allocation, groups, tables, second, limit } = setting;
  const plain = recipeOf(setting, assignment);
  const { sizeBytes } = await planSized(opened, plain, options);
  const { stateFile: _, targetSize: __, ...choices } = allocation;
  const identity = await identifyRun(opened.checkpoint, recipe, options.backend);
  const record: AllocationRecord = {
    identity: digestOf({
      ...identity,
      ...flatten("allocation", { ...choices, ...targetsOf(allocation) }),
    }),
    targets: targetsOf(allocation),
    measure: allocation.measure,
    search: allocation.search,
    trials,
    text: { windows: text.windows.length, window: text.windows[0]?.length ?? 0 },
    bitsPerWeight: bitsOf(groups, assignment),
    sizeBytes,
    damage: damageOf(problem, assignment),
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
  const chain = chainOf(recipe);
  const uniform = findUniform({
    groups,
    choices: allocation.choices,
    chain,
    names: opened.config.names,
    limit,
    second,
  });
  return {
    recipe: plain,
    record,
    text,
    uniform: uniform && {
      id: uniform.id,
      recipe: recipeOf(
        { ...setting, groups: uniform.groups },
        uniform.groups.map(() => 0),
      ),
    },
  };
}
