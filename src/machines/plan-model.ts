import type { KvCacheDType } from "../nn/kv-cache.ts";
import { UsageError } from "../util/errors.ts";
import { suggestName } from "../util/nearest.ts";
import {
  type Consequences,
  consequencesOf,
  type Fit,
  fitInto,
  type MachineLimits,
  rooflineSpeeds,
  type RunChoice,
  type Speeds,
  usualContext,
} from "./consequences.ts";
import { describedMachines } from "./described-machines.ts";
import type { MachineEnergy } from "./energy.ts";
import { usualEnergy } from "./layer-costs.ts";
import type { MachineTable } from "./machine-table.ts";
import { usualTableScheme } from "../quant/usual-table-scheme.ts";
import { type ModelShape, type PartKind, weightsOf } from "./model-shape.ts";
import { predictSpeeds, runWithThreads } from "./predict-speed.ts";
import type { DescribedModel } from "./read-model.ts";
import { parseStorage, type StorageChoice } from "./storage.ts";

/** What bits a plan compares, and how the model is run. */
export interface PlanChoice {
  /** Schemes of the linear layers; by default some of each number of bits. */
  readonly schemes?: readonly string[] | undefined;
  /** Scheme of the embedding, and of a tied head; default `w8g64-sym`, as quantizing has it. */
  readonly embedding?: string | undefined;
  readonly head?: string | undefined;
  /** Tokens in the cache; default 2048, or the model's context where that is less. */
  readonly context?: number | undefined;
  /** Default `f16`. */
  readonly kvCache?: KvCacheDType | undefined;
  /** Memory that the model has to fit into, in bytes; by default that of each machine. */
  readonly memoryBytes?: number | undefined;
}

/** A machine that a plan is made for. */
export interface PlanMachine {
  readonly id: string;
  readonly title: string;
  readonly memoryBytes: number;
  /**
   * What speeds are: predictions from timed kernels, or the most that bandwidth and peak allow, as
   * measured here or as the maker describes them.
   */
  readonly basis: "table" | "measured limits" | "described limits";
  readonly limits: MachineLimits;
  readonly table?: MachineTable;
  readonly threads?: number | undefined;
  readonly energy: MachineEnergy;
  readonly source: string;
}

/** What a machine does with a model. */
export interface MachineForecast extends Fit {
  readonly machine: string;
  /** Null where the machine's table has nothing for the scheme. */
  readonly speeds: Speeds | null;
  readonly joulesPerToken: number;
}

/** One way to store the model, and what follows. */
export interface PlannedVariant extends Consequences {
  readonly name: string;
  readonly storage: StorageChoice;
  readonly machines: readonly MachineForecast[];
}

/** What bits would change of a model, from its configuration alone. */
export interface ModelPlan {
  readonly name: string;
  readonly shape: ModelShape;
  readonly parameters: { readonly all: number } & Readonly<
    Partial<Record<PartKind | "others", number>>
  >;
  readonly context: number;
  readonly kvCache: KvCacheDType;
  readonly memoryBytes: number | null;
  /** `measured`: when its kernels were timed; null where they were not. */
  readonly machines: readonly (Omit<PlanMachine, "table"> & { readonly measured: string | null })[];
  readonly variants: readonly PlannedVariant[];
}

/** Schemes that a plan compares where none is named. */
const usualSchemes = ["w8", "w4g64", "w3g64", "w2g64", "w1.58g64"] as const;

/**
 * Follows choices of bits down to storage, memory, bytes, operations, speed and energy.
 * @throws SchemeError for what is no scheme or dtype, or does not hold the model's rows
 * @throws UsageError when a head is named where the embedding is the head
 */
export function planModel(
  name: string,
  model: DescribedModel,
  machines: readonly PlanMachine[],
  choice: PlanChoice = {},
): ModelPlan {
  const { shape, packed, floats } = model;
  const { context = usualContext(shape), kvCache = "f16" } = choice;
  if (choice.head !== undefined && shape.tied) {
    throw new UsageError("the model's embedding is its output head: one table, one scheme", {
      hint: "name the scheme as `embedding`",
      field: "head",
      value: choice.head,
    });
  }
  const { memoryBytes = null } = choice;
  const embedding = parseStorage(choice.embedding ?? usualTableScheme);
  const head = parseStorage(choice.head ?? usualTableScheme);
  const asItIs = { linear: floats, embedding: floats, head: floats, others: floats };
  const storages = (choice.schemes ?? usualSchemes).map(parseStorage);
  const variantOf = (title: string, of: ModelShape, storage: StorageChoice): PlannedVariant => {
    const run: RunChoice = { storage, kvCache, context };
    const energy = machines[0]?.energy ?? usualEnergy;
    return {
      name: title,
      storage,
      ...consequencesOf(of, run, energy),
      machines: machines.map((machine) => forecast(machine, of, run, memoryBytes)),
    };
  };
  return {
    name,
    shape,
    parameters: countParameters(shape),
    context,
    kvCache,
    memoryBytes,
    machines: machines.map(withoutTable),
    variants: [
      variantOf("as it is", packed ?? shape, asItIs),
      ...storages.map((linear) =>
        variantOf(linear, shape, { linear, embedding, head, others: floats }),
      ),
    ],
  };
}

function withoutTable({ table, ...machine }: PlanMachine): ModelPlan["machines"][number] {
  return { ...machine, measured: table?.measured ?? null };
}

function countParameters(shape: ModelShape): ModelPlan["parameters"] {
  const counts: Partial<Record<PartKind | "others", number>> = {};
  for (const part of shape.parts) counts[part.kind] = (counts[part.kind] ?? 0) + weightsOf(part);
  return { all: shape.parameters, ...counts, others: shape.others };
}

function forecast(
  machine: PlanMachine,
  shape: ModelShape,
  run: RunChoice,
  memoryBytes: number | null,
): MachineForecast {
  return {
    machine: machine.id,
    speeds: speedsOn(machine, shape, run),
    joulesPerToken: consequencesOf(shape, run, machine.energy).token.joules,
    ...fitInto(shape, run, memoryBytes ?? machine.memoryBytes),
  };
}

function speedsOn(
  { table, threads, limits }: PlanMachine,
  shape: ModelShape,
  run: RunChoice,
): Speeds | null {
  if (!table) return rooflineSpeeds(shape, run, limits);
  try {
    return predictSpeeds(table, shape, run, threads === undefined ? {} : { threads });
  } catch (error) {
    if (error instanceof UsageError && error.field === undefined) return null;
    throw error;
  }
}

/** A machine whose kernels were timed. @throws UsageError when not with this number of threads */
export function machineOfTable(id: string, table: MachineTable, threads?: number): PlanMachine {
  const run = runWithThreads(table, threads);
  const { bytesPerSecond, operationsPerSecond } = run;
  return {
    id,
    title: `${table.machine.processor}, ${run.threads} thread${run.threads === 1 ? "" : "s"}`,
    memoryBytes: table.machine.memoryBytes,
    basis: "table",
    limits: { bytesPerSecond, operationsPerSecond },
    table,
    threads: run.threads,
    energy: usualEnergy,
    source: `kernels timed on ${table.measured.slice(0, 10)}`,
  };
}

/** All described machines. */
export function describedPlanMachines(): PlanMachine[] {
  return describedMachines.map(({ id, title, memoryBytes, energy, source, ...limits }) => ({
    id,
    title,
    memoryBytes,
    basis: "described limits",
    limits,
    energy,
    source,
  }));
}

/**
 * Finds a described machine by its id.
 * @throws UsageError that lists those there are
 */
export function describedPlanMachine(id: string): PlanMachine {
  const known = describedPlanMachines();
  const found = known.find((machine) => machine.id === id);
  if (found) return found;
  const ids = known.map((machine) => machine.id);
  throw new UsageError(`no machine is described as ${JSON.stringify(id.slice(0, 60))}`, {
    hint: `${suggestName(id, ids, "")} known: ${ids.join(", ")}; or name a file of \`fewbit measure-machine\``.trim(),
    field: "machine",
    value: id,
  });
}
