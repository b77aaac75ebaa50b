import { findTableHere } from "../../machines/find-machines.ts";
import { layerCosts, layerJoules, usualEnergy } from "../../machines/layer-costs.ts";
import { decodeWork, type RunChoice, usualContext } from "../../machines/consequences.ts";
import { joulesOf } from "../../machines/energy.ts";
import type { MachineTable } from "../../machines/machine-table.ts";
import { type ModelShape, shapeOf } from "../../machines/model-shape.ts";
import { floatsOf } from "../../machines/read-model.ts";
import { isLinear } from "../../machines/storage.ts";
import { readMachineTable } from "../../machines/table-file.ts";
import type { Assignment } from "../../methods/shared/allocation/allocation-problem.ts";
import type { LinearDescription } from "../../nn/quantizable-model.ts";
import type { Scheme } from "../../quant/scheme.ts";
import type { Allocation, Recipe } from "../../recipe/recipe.ts";
import type { AllocationRecord } from "../../run/allocation-record.ts";
import { digestOf } from "../../run/identity.ts";
import type { OpenedModel } from "../../runtime/load.ts";
import { UsageError } from "../../util/errors.ts";
import { sum } from "../../util/sums.ts";
import type { GroupOption, LayerGroup } from "./layer-groups.ts";
import type { Assignable } from "./plain-recipe.ts";

/** What a decoded token costs, besides bytes, by the schemes of the layers that it goes through. */
export interface TokenCosts {
  /** What is counted: seconds or joules of a token. */
  readonly unit: "s" | "J";
  /** Of all but the layers that are allocated. */
  readonly fixed: number;
  /** Of a layer under a scheme; null where that was not measured. */
  of(linear: LinearDescription, scheme: Scheme): number | null;
}

/** What a token costs on a machine. */
export interface MachineCosts {
  /** Null where no timed machine is asked for. */
  readonly time: TokenCosts | null;
  readonly energy: TokenCosts;
  /** Hash of the machine's table; null without. */
  readonly table: string | null;
}

/** Of which model costs are. */
interface Costed extends Assignable {
  readonly opened: OpenedModel;
  readonly recipe: Recipe;
  readonly allocation: Allocation;
}

/**
 * Finds what a token costs of a model whose free layers get schemes: its time by the table of
 * `measureMachine`, where a speed is asked for or a table named, and its energy by published figures.
 * It is decoded behind as many tokens as plans count with.
 * @param others layers that are not free, with what becomes of them
 * @throws UsageError where a speed is asked for and no table is there
 */
export async function openMachineCosts(
  { opened, recipe, allocation, tables }: Costed,
  others: readonly SettledLinear[],
  notify: (message: string) => void,
): Promise<MachineCosts> {
  const table = await openTable(allocation, notify);
  const shape = shapeOf(opened.config);
  const floats = floatsOf(opened.checkpoint.config);
  const storage = {
    linear: floats,
    embedding: (tables.embedding?.id ?? recipe.embedding) || floats,
    head: (tables.head?.id ?? recipe.head) || floats,
    others: floats,
  };
  const model: CostedModel = {
    shape,
    run: { storage, kvCache: "f16", context: usualContext(shape) },
    used: usedBy(opened),
    kept: others.map((linear) => ({ linear, storage: linear.scheme?.id ?? floats })),
  };
  return {
    time: table && timeOf(table, model),
    energy: energyOf(model),
    table: table && digestOf({ table: JSON.stringify(table) }),
  };
}

/** A layer, and its scheme; null: it stays as it is. */
type SettledLinear = LinearDescription & { readonly scheme: Scheme | null };

/** A model to be decoded, its free layers apart. */
interface CostedModel {
  readonly shape: ModelShape;
  readonly run: RunChoice;
  /** How often a token goes through a layer, on average. */
  readonly used: (linear: LinearDescription) => number;
  readonly kept: readonly { readonly linear: LinearDescription; readonly storage: string }[];
}

async function openTable(
  { machine, targetSpeed }: Allocation,
  notify: (message: string) => void,
): Promise<MachineTable | null> {
  if (machine !== null) return readMachineTable(machine);
  if (targetSpeed === undefined) return null;
  const table = await findTableHere(notify);
  if (table) return table;
  throw new UsageError("it was not measured yet how fast this machine is", {
    hint: "`fewbit measure-machine` does that once; or leave `targetSpeed` out",
    field: "allocation.targetSpeed",
    value: targetSpeed,
  });
}

function usedBy({ config: { experts, blockRuns } }: OpenedModel): CostedModel["used"] {
  const share = experts ? experts.used / experts.count : 1;
  return ({ expert }) => blockRuns * (expert === undefined ? 1 : share);
}

function timeOf(table: MachineTable, { shape, run, used, kept }: CostedModel): TokenCosts {
  const costs = layerCosts(table, shape, run);
  const known = new Map<string, number>();
  // Models have few sizes and many layers.
  const secondsOf = (linear: LinearDescription, storage: string): number => {
    const { outFeatures, inFeatures } = linear;
    const size = { outFeatures, inFeatures, used: used(linear) };
    const key = `${outFeatures} ${inFeatures} ${size.used} ${storage}`;
    const seconds = known.get(key) ?? 1e-6 * costs.cost(size, storage).decodeMicroseconds;
    known.set(key, seconds);
    return seconds;
  };
  const rest = sum(kept.map(({ linear, storage }) => secondsOf(linear, storage)));
  return {
    unit: "s",
    fixed: 1e-6 * costs.constant.decodeMicroseconds + rest,
    of: (linear, { id }) => (costs.isMeasured(id) ? secondsOf(linear, id) : null),
  };
}

function energyOf({ shape, run, used, kept }: CostedModel): TokenCosts {
  const others = { ...shape, parts: shape.parts.filter((part) => !isLinear(part)) };
  const joules = (linear: LinearDescription, storage: string): number =>
    layerJoules({ ...linear, used: used(linear) }, storage);
  const rest = sum(kept.map(({ linear, storage }) => joules(linear, storage)));
  return {
    unit: "J",
    fixed: joulesOf(decodeWork(others, run), usualEnergy) + rest,
    of: (linear, { id }) => joules(linear, id),
  };
}

/** What an option of a group costs a token; null where that was not measured. */
export function tokenCost(
  { linears }: Pick<LayerGroup, "linears">,
  { schemes }: GroupOption,
  costs: TokenCosts,
): number | null {
  const own = linears.map((linear, i) => costs.of(linear, schemes[i]));
  return own.reduce((all, cost) => (all === null || cost === null ? null : all + cost), 0);
}

/** What a token is expected to take once each group has an option. */
export function predictToken(
  { time, energy }: MachineCosts,
  groups: readonly LayerGroup[],
  assignment: Assignment,
): NonNullable<AllocationRecord["predicted"]> {
  const all = (costs: TokenCosts): number => {
    const own = groups.map(
      (group, i) => tokenCost(group, group.options[assignment[i]], costs) ?? Number.NaN,
    );
    return costs.fixed + sum(own);
  };
  const seconds = time && all(time);
  return {
    ...(seconds !== null && !Number.isNaN(seconds) && { tokensPerSecond: 1 / seconds }),
    joulesPerToken: all(energy),
  };
}
