import { absolutePath, baseName, joinPath, parentPath, sha256 } from "../../platform/node.ts";
import type { Recipe } from "../../recipe/recipe.ts";
import { digestOf, identifyCheckpoint } from "../../run/identity.ts";
import type { OpenedModel } from "../../runtime/load.ts";
import { UsageError } from "../../util/errors.ts";
import { version } from "../../util/version.ts";
import { tokenCosts } from "./allocation-budgets.ts";
import { DamageStore } from "./damage-store.ts";
import { type Allocated, describeAllocation } from "./describe-allocation.ts";
import { measureGroups, measurePairs } from "./measure-groups.ts";
import { type AllocationText, readAllocationText } from "./read-windows.ts";
import { searchAllocation } from "./search-allocation.ts";
import { type AllocateOptions, settle, type Setting } from "./setting.ts";

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
  const found = await searchAllocation(setting, { problem, store, text }, options);
  return describeAllocation(setting, { problem, text, ...found }, options);
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
