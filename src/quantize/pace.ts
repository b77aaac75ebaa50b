import type { Backend } from "../backend/backend.ts";
import { monotonicMs } from "../platform/node.ts";
import { matmul } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";

/** How fast a machine computes at the moment. */
export interface Pace {
  /** Floating-point operations a second of a large matrix product in float32. */
  readonly flops: number;
  /** By what factor other programs slow it down; 1 on an idle machine. */
  readonly load: number;
}

/** Paces are measured anew after so long, since other programs come and go. */
const paceLastsMs = 5000;
/** Threads and the processor's clock come to their speed within so long, which does not count. */
const warmUpMs = 120;
const paceTakesMs = 200;
const leastProducts = 3;
const paces = new WeakMap<Backend, { readonly atMs: number; readonly pace: Pace }>();

/** Measures the pace of a large matrix product here and now, in a third of a second. */
export async function measurePace(backend: Backend): Promise<Pace> {
  const known = paces.get(backend);
  if (known && monotonicMs() - known.atMs < paceLastsMs) return known.pace;
  const size = backend.id === "reference" ? 96 : 768;
  const a = Tensor.zeros(backend, "f32", [size, size]);
  const product = async (): Promise<number> => {
    const startedMs = monotonicMs();
    matmul(a, a, { transposeB: true }).release();
    await backend.synchronize();
    return monotonicMs() - startedMs;
  };
  await repeat(product, warmUpMs);
  const times = (await repeat(product, paceTakesMs)).sort((one, other) => one - other);
  a.release();
  const usual = times[times.length >> 1];
  const pace = { flops: (2000 * size ** 3) / usual, load: usual / times[0] };
  paces.set(backend, { atMs: monotonicMs(), pace });
  return pace;
}

/** Times of runs, as many as fit. */
async function repeat(run: () => Promise<number>, ms: number): Promise<number[]> {
  const times: number[] = [];
  const beganMs = monotonicMs();
  while (times.length < leastProducts || monotonicMs() - beganMs < ms) times.push(await run());
  return times;
}
