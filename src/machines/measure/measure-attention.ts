import type { Backend } from "../../backend/backend.ts";
import {
  attendLayer,
  KvCache,
  type KvCacheDType,
  kvCacheDTypes,
  writeLayer,
} from "../../nn/kv-cache.ts";
import { tidy, type Tensor } from "../../tensor/tensor.ts";
import type { MeasuredRun } from "../machine-table.ts";
import type { MeasureContext } from "./measure-products.ts";
import { timeInTurn } from "./time-in-turn.ts";

type Attention = MeasuredRun["attention"][number];

const heads = 8;
const headDim = 64;
const groups = [1, 4];
/** Bytes of keys and values that take turns. */
const rotateBytes = 16e6;

/** Times attention of one token over caches of all kinds, for each number of threads. */
export async function measureAttention(
  context: MeasureContext,
  lengths: readonly number[],
  rounds: number,
): Promise<Attention[][]> {
  const found: Attention[][] = context.backends.map(() => []);
  for (const length of lengths) {
    context.onProgress?.(`attention over ${length} tokens`);
    for (const [index, backend] of context.backends.entries()) {
      found[index].push(...(await measureLength(context, backend, length, rounds)));
    }
  }
  return found;
}

async function measureLength(
  { weights, signal }: MeasureContext,
  backend: Backend,
  length: number,
  rounds: number,
): Promise<Attention[]> {
  const kinds = kvCacheDTypes.flatMap((kvCache) => groups.map((group) => ({ kvCache, group })));
  const query = weights.floats(backend, "f32", [1, 1, heads, headDim]);
  const rows = weights.floats(backend, "f32", [1, length, heads, headDim]);
  const caches = kinds.map(({ kvCache, group }) => filled(backend, kvCache, group, rows));
  const tasks = caches.map((cache) => ({
    per: cache.layerCount,
    run: async (): Promise<void> => {
      const options = { scale: headDim ** -0.5, keyLength: length };
      tidy(() => {
        for (let layer = 0; layer < cache.layerCount; layer++) {
          attendLayer(query, cache.layer(layer), options);
        }
        return null;
      });
      await backend.synchronize();
    },
  }));
  const timings = await timeInTurn(tasks, rounds, signal);
  for (const cache of caches) cache.release();
  query.release();
  rows.release();
  const elements = heads * headDim * length;
  return kinds.map((kind, index) => ({ ...kind, elements, seconds: timings[index] }));
}

/** A cache whose layers hold the same keys and values, each in memory of its own. */
function filled(backend: Backend, dtype: KvCacheDType, group: number, rows: Tensor): KvCache {
  const [, length = 1] = rows.shape;
  const kvHeads = heads / group;
  const layerBytes = 8 * kvHeads * headDim * length;
  const blocks = Math.min(64, Math.max(1, Math.ceil(rotateBytes / layerBytes)));
  const cache = new KvCache(backend, { blocks, kvHeads, headDim, capacity: length, dtype });
  const flat = rows.reshape([1, length * group, kvHeads, headDim]).slice(0, 1);
  for (let layer = 0; layer < blocks; layer++) {
    const few = flat.reshape([length * group, kvHeads, headDim]).slice(0, length);
    const written = few.reshape([1, length, kvHeads, headDim]);
    writeLayer(cache.layer(layer), written, written, 0);
  }
  return cache;
}
