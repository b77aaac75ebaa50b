import type { Backend } from "../../backend/backend.ts";
import { Linear } from "../../nn/linear.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { tidy } from "../../tensor/tensor.ts";
import type { MeasuredRun } from "../machine-table.ts";
import { storedBytes } from "../storage.ts";
import type { RandomWeights } from "./random-weights.ts";
import { type TimedTask, timeInTurn } from "./time-in-turn.ts";

type Product = MeasuredRun["products"][number];

/** Which products are timed. */
export interface ProductClasses {
  readonly storages: readonly string[];
  /** Rows that are multiplied together: 1 for decoding. */
  readonly tokens: number;
  readonly outSizes: readonly number[];
  readonly inSizes: readonly number[];
  /**
   * Bytes of weights of one storage, which a run goes through once: together, more than caches hold,
   * and enough that the half millisecond after which a run is at its full speed does not count.
   */
  readonly bytes: number;
  readonly rounds: number;
}

/** What every measurement works with. */
export interface MeasureContext {
  /** A backend for each number of threads. */
  readonly backends: readonly Backend[];
  readonly weights: RandomWeights;
  readonly signal?: AbortSignal | undefined;
  /** Hears how far it is, as words and a share of all. */
  readonly onProgress?: ((what: string) => void) | undefined;
}

/** Times products of all storages and numbers of threads in turn, shape by shape. */
export async function measureProducts(
  context: MeasureContext,
  classes: ProductClasses,
): Promise<Product[][]> {
  const found: Product[][] = context.backends.map(() => []);
  for (const outFeatures of classes.outSizes) {
    for (const inFeatures of classes.inSizes) {
      const { tokens } = classes;
      const of = tokens === 1 ? "one token" : `${tokens} tokens`;
      context.onProgress?.(`${outFeatures} × ${inFeatures} by ${of}`);
      const timed = await measureShape(context, classes, { outFeatures, inFeatures });
      for (const [index, products] of timed.entries()) found[index].push(...products);
    }
  }
  return found;
}

interface Matrix {
  readonly outFeatures: number;
  readonly inFeatures: number;
}

/** Storages whose weights are in memory together, to be timed in turn. */
const storagesAtOnce = 7;

async function measureShape(
  context: MeasureContext,
  classes: ProductClasses,
  matrix: Matrix,
): Promise<Product[][]> {
  const found: Product[][] = context.backends.map(() => []);
  for (let at = 0; at < classes.storages.length; at += storagesAtOnce) {
    const storages = classes.storages.slice(at, at + storagesAtOnce);
    const timed = await measureStorages(context, { ...classes, storages }, matrix);
    for (const [index, products] of timed.entries()) found[index].push(...products);
  }
  return found;
}

async function measureStorages(
  { backends, weights, signal }: MeasureContext,
  { storages, tokens, bytes, rounds }: ProductClasses,
  { outFeatures, inFeatures }: Matrix,
): Promise<Product[][]> {
  const layers = new Map<string, Linear[]>();
  const tasks: (TimedTask & { readonly storage: string; readonly of: number })[] = [];
  for (const storage of storages) {
    const [first] = backends;
    const count = Math.max(1, Math.ceil(bytes / storedBytes(storage, outFeatures, inFeatures)));
    const of = Array.from(
      { length: count },
      () => new Linear(first, weights.make(first, storage, outFeatures, inFeatures)),
    );
    layers.set(storage, of);
    await first.synchronize();
  }
  const inputs = backends.map((backend) => weights.floats(backend, "f32", [tokens, inFeatures]));
  for (const storage of storages) {
    for (const [of, backend] of backends.entries()) {
      const run = (): Promise<void> => multiplyAll(backend, inputs[of], layers.get(storage) ?? []);
      tasks.push({ run, per: layers.get(storage)?.length ?? 1, storage, of });
    }
  }
  const timings = await timeInTurn(tasks, rounds, signal);
  for (const each of [...layers.values()].flat()) each.release();
  for (const input of inputs) input.release();
  const size = { tokens, outFeatures, inFeatures };
  return backends.map((_, index) =>
    tasks.flatMap(({ storage, of }, task) =>
      of === index ? [{ storage, ...size, seconds: timings[task] }] : [],
    ),
  );
}

/** The layers belong to the first backend: others only read their memory, which the CPU shares. */
async function multiplyAll(
  backend: Backend,
  input: Tensor,
  layers: readonly Linear[],
): Promise<void> {
  tidy(() => {
    for (const layer of layers) layer.forward(input, "fast").release();
    return null;
  });
  await backend.synchronize();
}
