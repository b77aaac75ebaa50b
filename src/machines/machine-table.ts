import { z } from "zod";
import { kvCacheDTypes } from "../nn/kv-cache.ts";
import { FormatError } from "../util/errors.ts";
import { parseValue } from "../util/parse-value.ts";

/** What tables are called in messages, and the form that this fewbit reads. */
export const tableVersion = 1;

const mostRows = 10_000;
const size = z
  .int()
  .positive()
  .max(2 ** 31);
const rate = z.number().positive().max(1e18);
const name = z.string().min(1).max(200);

/** Seconds of single runs. */
const timing = z.strictObject({
  median: z.number().positive().max(1e6),
  least: z.number().positive().max(1e6),
  most: z.number().positive().max(1e6),
  /** Median of the time that all cores worked: what others on the machine disturb least. */
  processor: z.number().positive().max(1e6),
});

/** Differences of times, which noise can make negative. */
const difference = z.strictObject({
  median: z.number().min(-1e6).max(1e6),
  least: z.number().min(-1e6).max(1e6),
  processor: z.number().min(-1e6).max(1e6),
});

const product = z.strictObject({
  /** Scheme or dtype of the weight `[outFeatures, inFeatures]`. */
  storage: name,
  /** Rows that are multiplied by it together. */
  tokens: size,
  outFeatures: size,
  inFeatures: size,
  seconds: timing,
});

const attention = z.strictObject({
  kvCache: z.enum(kvCacheDTypes),
  /** Query heads to each key head. */
  group: size,
  /** Query heads × width of a head × tokens in the cache. */
  elements: size,
  seconds: timing,
});

const block = z.strictObject({
  hiddenSize: size,
  tokens: size,
  /** What one block takes beyond its products. */
  seconds: difference,
});

const step = z.strictObject({
  vocabularySize: size,
  tokens: size,
  /** What one pass takes beyond its blocks and the product of the head. */
  seconds: difference,
});

const run = z.strictObject({
  threads: size.max(1024),
  /** Most that was read from memory and computed in float32, a second. */
  bytesPerSecond: rate,
  operationsPerSecond: rate,
  products: z.array(product).max(mostRows),
  attention: z.array(attention).max(mostRows),
  blocks: z.array(block).min(1).max(100),
  steps: z.array(step).min(1).max(100),
});

const schema = z.strictObject({
  version: z.literal(tableVersion),
  fewbit: name,
  measured: name,
  machine: z.strictObject({
    system: name,
    architecture: name,
    processor: name,
    cores: size,
    memoryBytes: z.number().positive().max(1e18),
    runtime: name,
  }),
  /** Instruction level of the kernels. */
  level: name,
  quick: z.boolean(),
  /** One for each number of threads, the one that fewbit takes by itself first. */
  runs: z.array(run).min(1).max(64),
});

/** How long the kernels take on one machine. */
export type MachineTable = z.output<typeof schema>;

/** What was measured with one number of threads. */
export type MeasuredRun = MachineTable["runs"][number];

/** Median and range of some runs, in seconds. */
export type TableTiming = z.output<typeof timing>;

const hint = "measure anew: `fewbit measure-machine`";

/**
 * Checks what a file says to be a table.
 * @param what begins messages, such as the name of the file
 * @throws FormatError that names the first field that is wrong
 */
export function parseMachineTable(value: unknown, what: string): MachineTable {
  const version = (value as { version?: unknown } | null)?.version;
  if (typeof version === "number" && version !== tableVersion) {
    throw new FormatError(
      `${what} is a table of version ${version}; this fewbit reads ${tableVersion}`,
      { hint },
    );
  }
  return parseValue(schema, value, ({ text }) => new FormatError(`${what}: ${text}`, { hint }));
}
