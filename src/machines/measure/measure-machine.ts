import type { Backend } from "../../backend/backend.ts";
import { describeMachine } from "../../platform/node.ts";
import { blockFormats } from "../../quant/blocks/index.ts";
import { version } from "../../util/version.ts";
import { type MachineTable, tableVersion } from "../machine-table.ts";
import type { MachineLimits } from "../consequences.ts";
import { measuredPrompt } from "../predict-speed.ts";
import { measureAttention } from "./measure-attention.ts";
import { measureBlocks } from "./measure-blocks.ts";
import { measureProducts } from "./measure-products.ts";
import { RandomWeights } from "./random-weights.ts";

/** What is measured, and how. */
export interface MeasureOptions {
  /** A backend for each number of threads, the usual one first. */
  readonly backends: readonly Backend[];
  /** Measures what one of them can read and compute a second, at most. */
  readonly limitsOf: (backend: Backend) => Promise<MachineLimits>;
  /** Only the usual schemes, at fewer shapes, in fewer rounds. */
  readonly quick?: boolean;
  /** Only products by these schemes and dtypes; by default by all, or the usual ones. */
  readonly storages?: readonly string[];
  readonly signal?: AbortSignal | undefined;
  /** Hears what is being timed. */
  readonly onProgress?: ((what: string) => void) | undefined;
}

/** Schemes of codes that lie apart, one or two for each packing, and one for each kind of table. */
const planar = [
  "w1g64",
  "w1.58g64",
  "w2g64",
  "w2",
  "w3g64",
  "w4g64",
  "w4",
  "w4g64-nf4",
  "w3-codebook",
  "w8g64",
  "w8",
];
const usual = ["f16", "bf16", "w2g64", "w3g64", "w4g64", "w8g64", "w8"];
const everything = ["f32", "f16", "bf16", ...planar, ...blockFormats.map(({ id }) => id)];

/** Shapes of all kernels. */
const full = {
  storages: everything,
  sizes: [256, 1024, 4096],
  widths: [256, 1024].map((hiddenSize) => ({ hiddenSize, intermediateSize: 4 * hiddenSize })),
  lengths: [16, 128, 1024, 4096],
  bytes: 64e6,
  blockBytes: 64e6,
  rounds: 9,
  promptRounds: 3,
};

const quickly: typeof full = {
  storages: usual,
  sizes: [256, 2048],
  widths: [256, 2048].map((hiddenSize) => ({ hiddenSize, intermediateSize: 2048 })),
  lengths: [16, 1024],
  bytes: 64e6,
  blockBytes: 64e6,
  rounds: 5,
  promptRounds: 2,
};

/**
 * Times every kernel that running a model needs, on random weights: products by every storage at every
 * class of shapes, one token and a prompt; attention; what blocks and steps take besides; bandwidth and
 * peak. All take turns, so that a slow spell meets all alike.
 * @throws CancelledError when `signal` is aborted
 */
export async function measureMachine(options: MeasureOptions): Promise<MachineTable> {
  const { backends, limitsOf, quick = false, signal, onProgress } = options;
  const classes = quick ? quickly : full;
  const { sizes, bytes, rounds, promptRounds } = classes;
  const { storages = classes.storages } = options;
  const context = { backends, weights: new RandomWeights(), signal, onProgress };
  const limits: MachineLimits[] = [];
  for (const backend of backends) limits.push(await limitsOf(backend));
  const shapes = { storages, outSizes: sizes, inSizes: sizes };
  const decoded = await measureProducts(context, { ...shapes, tokens: 1, bytes, rounds });
  const promptOnly = { tokens: measuredPrompt, bytes: 1, rounds: promptRounds };
  const prompts = await measureProducts(context, { ...shapes, ...promptOnly });
  const attention = await measureAttention(context, classes.lengths, rounds);
  const runs: MachineTable["runs"] = [];
  for (const [index, backend] of backends.entries()) {
    const products = [...decoded[index], ...prompts[index]];
    const blocks = { widths: classes.widths, bytes: classes.blockBytes, rounds };
    const rest = await measureBlocks(context, backend, blocks);
    const { threads } = backend;
    runs.push({ threads, ...limits[index], products, attention: attention[index], ...rest });
  }
  return {
    version: tableVersion,
    fewbit: version,
    measured: new Date().toISOString(),
    machine: { ...describeMachine() },
    level: backends[0].level,
    quick,
    runs,
  };
}
