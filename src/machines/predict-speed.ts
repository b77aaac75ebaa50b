import type { KvCacheDType } from "../nn/kv-cache.ts";
import { UsageError } from "../util/errors.ts";
import type { RunChoice, Speeds } from "./consequences.ts";
import { interpolateLinear, interpolateTime } from "./interpolate.ts";
import type { MachineTable, MeasuredRun } from "./machine-table.ts";
import type { ModelShape } from "./model-shape.ts";
import { isFloatStorage, schemeOfStorage, storageOf, storedBytes } from "./storage.ts";

/**
 * Which time of a table counts: what is typical, the fastest run, or the time of the processor, which
 * others disturb least and which is the time that passes with one thread on an idle machine.
 */
export type TimeTaken = "median" | "least" | "processor";

/** How a prediction reads a table. */
export interface PredictOptions {
  /** Threads; by default those that fewbit takes by itself. */
  readonly threads?: number;
  /** Default `median`. */
  readonly take?: TimeTaken;
}

/** Tokens of a prompt whose passes a table holds. */
export const measuredPrompt = 128;
/** Tokens in the cache, on average, when a table's blocks were decoded. */
export const measuredContext = 16;

/**
 * Finds what was measured with a number of threads.
 * @throws UsageError when nothing was; the hint names those there are
 */
export function runWithThreads(table: MachineTable, threads?: number): MeasuredRun {
  const [usual] = table.runs;
  const found = threads === undefined ? usual : table.runs.find((run) => run.threads === threads);
  if (found) return found;
  throw new UsageError(
    `nothing was measured with ${threads} threads on ${table.machine.processor}`,
    {
      hint: `measured: ${table.runs.map((run) => run.threads).join(", ")}`,
      field: "threads",
      value: threads,
    },
  );
}

/**
 * Seconds of the product of `tokens` rows by a weight `[outFeatures, inFeatures]`, interpolated
 * between measured shapes. A scheme that was not measured takes as long as the one of its packing
 * that is nearest in bits, by the bytes of the two.
 * @throws UsageError when nothing of its packing was measured
 */
export function productSeconds(
  run: Pick<MeasuredRun, "products">,
  storage: string,
  size: { readonly tokens: number; readonly outFeatures: number; readonly inFeatures: number },
  take: TimeTaken = "median",
): number {
  const { tokens, outFeatures, inFeatures } = size;
  const measured = kinOf(run, storage, tokens);
  const nodes = run.products
    .filter((row) => row.storage === measured && row.tokens === tokens)
    .map((row) => ({ x: row.outFeatures, y: row.inFeatures, seconds: row.seconds[take] }));
  const seconds = measured === null ? null : interpolateTime(nodes, outFeatures, inFeatures);
  if (seconds === null || measured === null) {
    throw new UsageError(`the machine's table has no products of ${storage}`, {
      hint: "measure anew, without `quick`: `fewbit measure-machine`",
    });
  }
  if (measured === storage) return seconds;
  return (seconds * bytesOfColumns(storage)) / bytesOfColumns(measured);
}

/** Whether products of one token by a storage were measured, or by another one of its packing. */
export function isMeasured(run: Pick<MeasuredRun, "products">, storage: string): boolean {
  return kinOf(run, storage, 1) !== null;
}

/** Bytes of a row that every scheme can hold. */
function bytesOfColumns(storage: string): number {
  return storedBytes(storage, 1, 4096);
}

/** The measured storage that multiplies like one: itself, or the nearest of its packing. */
function kinOf(run: Pick<MeasuredRun, "products">, storage: string, tokens: number): string | null {
  const all = [
    ...new Set(run.products.flatMap((row) => (row.tokens === tokens ? [row.storage] : []))),
  ];
  if (all.includes(storage)) return storage;
  if (isFloatStorage(storage)) return null;
  const { packing } = schemeOfStorage(storage);
  const bytes = bytesOfColumns(storage);
  const distance = (each: string): number => Math.abs(Math.log(bytesOfColumns(each) / bytes));
  const kin = all.filter((each) => {
    if (packing === null || isFloatStorage(each)) return false;
    return schemeOfStorage(each).packing?.packing === packing.packing;
  });
  return kin.sort((a, b) => distance(a) - distance(b))[0] ?? null;
}

/** Seconds of attention of one token over the tokens that it sees, all blocks together. */
function attentionSeconds(
  run: MeasuredRun,
  shape: ModelShape,
  { kvCache, context }: { readonly kvCache: KvCacheDType; readonly context: number },
  take: TimeTaken,
): number {
  const nodes = run.attention
    .filter((row) => row.kvCache === kvCache)
    .map((row) => ({ x: row.elements, y: 1 / row.group, seconds: row.seconds[take] }));
  // Keys and values are fewer by this than elements.
  const share = shape.kvHeads / shape.heads;
  return shape.spans.reduce((sum, { window, blocks }) => {
    const seen = Math.max(1, Math.min(window ?? context, context));
    const elements = shape.heads * shape.headDim * seen;
    return sum + blocks * (interpolateTime(nodes, elements, share) ?? 0);
  }, 0);
}

/** Where the time of one decoded token goes, in seconds. */
export interface DecodeSeconds {
  /** Products by weights of blocks, of the head. */
  readonly linear: number;
  readonly head: number;
  /** Attention beyond that over the first tokens. */
  readonly attention: number;
  /** All else of the blocks, and of the step. */
  readonly rest: number;
  readonly all: number;
}

/**
 * Predicts how long one token takes behind `context` others.
 * @throws UsageError when the table has nothing for a storage or a number of threads
 */
export function decodeSeconds(
  table: MachineTable,
  shape: ModelShape,
  choice: RunChoice,
  { threads, take = "median" }: PredictOptions = {},
): DecodeSeconds {
  const run = runWithThreads(table, threads);
  const sums = { linear: 0, head: 0 };
  for (const part of shape.parts) {
    if (part.used === 0) continue;
    const isTable = part.kind === "head" || part.kind === "embedding";
    const storage = storageOf(part, choice.storage);
    const seconds = part.used * productSeconds(run, storage, { tokens: 1, ...part }, take);
    sums[isTable ? "head" : "linear"] += seconds;
  }
  const { kvCache, context } = choice;
  const over = (tokens: number): number =>
    attentionSeconds(run, shape, { kvCache, context: tokens }, take);
  const attention = Math.max(0, over(context) - over(Math.min(context, measuredContext)));
  const rest = restSeconds(run, shape, 1, take);
  return { ...sums, attention, rest, all: sums.linear + sums.head + attention + rest };
}

/** What blocks and steps take beyond products. */
function restSeconds(run: MeasuredRun, shape: ModelShape, tokens: number, take: TimeTaken): number {
  const blocks = run.blocks
    .filter((row) => row.tokens === tokens)
    .map((row) => ({ size: row.hiddenSize, seconds: row.seconds[take] }));
  const steps = run.steps
    .filter((row) => row.tokens === tokens)
    .map((row) => ({ size: row.vocabularySize, seconds: row.seconds[take] }));
  const block = interpolateLinear(blocks, shape.hiddenSize) ?? 0;
  return shape.passes * block + (interpolateLinear(steps, shape.vocabularySize) ?? 0);
}

/** Predicts how long a prompt of `measuredPrompt` tokens takes, in seconds. @throws as `decodeSeconds` */
export function promptSeconds(
  table: MachineTable,
  shape: ModelShape,
  { storage: choice }: Pick<RunChoice, "storage">,
  { threads, take = "median" }: PredictOptions = {},
): number {
  const run = runWithThreads(table, threads);
  const products = shape.parts.reduce((sum, part) => {
    if (part.used === 0) return sum;
    const isTable = part.kind === "head" || part.kind === "embedding";
    const size = { ...part, tokens: isTable ? 1 : measuredPrompt };
    return sum + part.used * productSeconds(run, storageOf(part, choice), size, take);
  }, 0);
  return products + restSeconds(run, shape, measuredPrompt, take);
}

/** Predicts tokens a second. @throws UsageError as `decodeSeconds` */
export function predictSpeeds(
  table: MachineTable,
  shape: ModelShape,
  choice: RunChoice,
  options: PredictOptions = {},
): Speeds {
  return {
    decode: 1 / decodeSeconds(table, shape, choice, options).all,
    prompt: measuredPrompt / promptSeconds(table, shape, choice, options),
  };
}
