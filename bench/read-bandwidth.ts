import { loadAddon } from "../src/kernels/native/addon.ts";
import { NativeQueue } from "../src/kernels/native/queue.ts";

const chunkValues = 1 << 18;

/** Reads a buffer as fast as memory gives it: the limit of everything that reads weights. */
export interface BandwidthMeter {
  /** Reads the buffer once; resolves to 10^9 bytes a second. */
  measure(): Promise<number>;
  close(): void;
}

/** Makes a meter that reads `megabytes` MiB, more than caches hold, with a number of threads. */
export function bandwidthMeter(threads: number, megabytes: number = 512): BandwidthMeter {
  const result = loadAddon();
  if (!("addon" in result)) throw new Error(result.reason);
  const level = result.addon.levels.at(-1)?.name ?? "portable";
  const queue = new NativeQueue(result.addon, level, threads);
  const values = new Float32Array(megabytes * chunkValues).fill(1);
  const sums = new Float32Array(megabytes);
  return {
    measure: async () => {
      const started = performance.now();
      queue.run("read_bandwidth", [sums, values]);
      await queue.synchronize();
      return values.byteLength / 1e6 / (performance.now() - started);
    },
    close: () => queue.close(),
  };
}
