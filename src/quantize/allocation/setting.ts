import { fittingType } from "../../quant/mixture-type.ts";
import { parseScheme, type Scheme } from "../../quant/scheme.ts";
import { type Allocation, chainOf, type Recipe } from "../../recipe/recipe.ts";
import type { RunOptions } from "../../run/quantization-job.ts";
import type { OpenedModel } from "../../runtime/load.ts";
import { parseByteSize } from "../../util/byte-size.ts";
import { UsageError } from "../../util/errors.ts";
import { isGgufOutput } from "../gguf-run.ts";
import { selectLinears } from "../select-linears.ts";
import { type CostBudget, costBudget, expectOneMore } from "./allocation-budgets.ts";
import { type LayerGroup, layerGroups } from "./layer-groups.ts";
import { assignedRecipe, type ChosenSchemes } from "./plain-recipe.ts";
import { planSized } from "./planned-size.ts";
import { sizeLimit } from "./size-limits.ts";
import { tableScheme } from "./table-schemes.ts";
import { type MachineCosts, openMachineCosts } from "./token-costs.ts";

/** What choosing needs besides the recipe. */
export type AllocateOptions = Pick<RunOptions, "backend" | "sharedFolder" | "signal"> & {
  readonly notify: (message: string) => void;
};

/** What is settled before anything is measured. */
export interface Setting {
  readonly opened: OpenedModel;
  readonly recipe: Recipe;
  readonly allocation: Allocation;
  readonly groups: readonly LayerGroup[];
  readonly tables: Pick<ChosenSchemes, "embedding" | "head">;
  readonly machine: MachineCosts;
  /** Of speed or energy; null where there is none. */
  readonly second: CostBudget | null;
  /** Of the layers that are allocated, in bytes. */
  readonly limit: number;
}

/**
 * Settles what can be known without the text.
 * @throws UsageError for targets that the choices cannot meet
 */
export async function settle(
  opened: OpenedModel,
  recipe: Recipe,
  options: AllocateOptions,
): Promise<Setting> {
  const { model, config, carried } = opened;
  const allocation = recipe.allocation as Allocation;
  expectOneMore(allocation);
  const { choices } = allocation;
  const rules = { gates: model.gates(), carried };
  const [first, other] = choices
    .slice(0, 2)
    .map((scheme) => selectLinears(model.linears(), { ...recipe, scheme }, rules));
  // What a pattern of the recipe names keeps its scheme, whatever the choice.
  const isFree = first.map(({ scheme }, i) => scheme !== null && scheme.id !== other[i].scheme?.id);
  const groups = layerGroups(
    first.filter((_, i) => isFree[i]),
    choices,
    config.names,
  );
  expectOptions(groups, allocation);
  const setting = { opened, recipe, allocation, groups, tables: chooseTables(opened, recipe) };
  for (const choice of choices) await expectContainer(setting, choice, options);
  const others = first.filter((_, i) => !isFree[i]);
  const floats = others.filter(({ scheme }) => scheme === null);
  const limit = await sizeLimit(setting, floats, options.backend);
  const machine = await openMachineCosts(setting, others, options.notify);
  const second = costBudget({ allocation, groups, limit }, machine);
  return { ...setting, machine, second, limit };
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
  { model, sizes }: OpenedModel,
  { embedding, head, allocation, method, transforms, finishers }: Recipe,
): Setting["tables"] {
  const { tables: how, targetSize, targetBpw, choices } = allocation as Allocation;
  const bits =
    targetSize === undefined
      ? (targetBpw ?? Number.POSITIVE_INFINITY)
      : (targetBpw ?? (8 * parseByteSize(targetSize)) / sizes.parameters);
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
  setting: Omit<Setting, "limit" | "second" | "machine">,
  choice: string,
  { backend }: AllocateOptions,
): Promise<void> {
  const { opened, recipe, groups } = setting;
  if (!isGgufOutput(recipe)) return;
  const uniform = groups.map((group) => {
    const at = group.options.findIndex((option) => option.choice === choice);
    return Math.max(0, at);
  });
  await planSized(opened, assignedRecipe(setting, uniform), { backend });
}
