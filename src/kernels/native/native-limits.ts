import { loadAddon } from "./addon.ts";
import { NativeQueue } from "./queue.ts";
import { BackendError } from "../../util/errors.ts";

const chunkFloats = 1 << 18;
const megabytes = 256;
const peakRounds = 1_000_000;
const tries = 5;

/** What the machine can do at most with a number of threads. */
export interface NativeLimits {
  /** Bytes that are read from memory. */
  readonly bytesPerSecond: number;
  /** Additions and multiplications of float32. */
  readonly operationsPerSecond: number;
}

/**
 * Measures, in about a second, how fast memory is read and how many fused multiplications and
 * additions of float32 are done: the best of some runs, since others only slow them down.
 * @throws BackendError when the addon is absent or does not load
 */
export async function measureNativeLimits(level: string, threads: number): Promise<NativeLimits> {
  const result = loadAddon();
  if (!("addon" in result)) throw new BackendError(result.reason, { hint: result.hint });
  const queue = new NativeQueue(result.addon, level, threads);
  const values = new Float32Array(megabytes * chunkFloats).fill(1);
  const sums = new Float32Array(megabytes);
  const operations = new Float64Array(1);
  let [bytesPerSecond, operationsPerSecond] = [0, 0];
  const timed = async (enqueue: () => void): Promise<number> => {
    const started = performance.now();
    enqueue();
    await queue.synchronize();
    return (performance.now() - started) / 1000;
  };
  for (let attempt = 0; attempt < tries; attempt++) {
    const reading = await timed(() => queue.run("read_bandwidth", [sums, values]));
    bytesPerSecond = Math.max(bytesPerSecond, values.byteLength / reading);
    const sink = new Float32Array(192);
    const peak = await timed(() => queue.run("fma_peak", [operations, sink, peakRounds]));
    operationsPerSecond = Math.max(operationsPerSecond, (threads * operations[0]) / peak);
  }
  queue.close();
  return { bytesPerSecond, operationsPerSecond };
}
