import { loadAddon } from "../../src/kernels/native/addon.ts";
import {
  createNativeBackend,
  type NativeBackend,
} from "../../src/kernels/native/native-backend.ts";
import { NativeQueue } from "../../src/kernels/native/queue.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { attendLayer, KvCache, type KvCacheDType, writeLayer } from "../../src/nn/kv-cache.ts";
import { type SamplingOptions, sampleToken } from "../../src/runtime/sampling.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { Prng } from "../../src/util/prng.ts";
import { type Benchmark, goal, interleave, type Row, timingOf } from "../harness.ts";

/** A 1.1 B Llama shape: 22 layers, 32 heads of 64 over 4 key heads. */
const shape = { layers: 22, heads: 32, kvHeads: 4, headDim: 64 };
const prompt = 512;
const contexts = [128, 512, 2048, 8192];
/** Bytes of the weights that a token reads of this shape at w4g64, and goals where keys are many. */
const weightBytes = 558e6;
const manyKeys = 8192;
const leastBandwidth = 80;
const dtypes: readonly KvCacheDType[] = ["f32", "f16", "i8", "i4"];
const rounds = 15;
const megabyte = 2 ** 20;
const readBytes = 256 * megabyte;
const peakRounds = 2_000_000;

/** Attention over key-value caches, and the choice of a token, on one core. */
const benchmark: Benchmark = {
  name: "attention",
  title:
    `attention of ${shape.heads} heads of ${shape.headDim} over ${shape.kvHeads} key heads; ` +
    "sampling; one core",
  run: async (note) => {
    const backend = createNativeBackend({ threads: 1 });
    note(backend.description);
    await checkAttention(backend);
    const meters = openMeters(backend.level);
    const rows = [
      ...(await measureDecode(backend, meters)),
      ...(await measurePrefill(backend, meters)),
      ...measureSampling(),
    ];
    meters.close();
    backend.close();
    return rows;
  },
};
export default benchmark;

async function measureDecode(backend: NativeBackend, meters: Meters): Promise<Row[]> {
  const rows: Row[] = [];
  for (const keys of contexts) {
    const caches = dtypes.map((dtype) => filledCache(backend, dtype, keys));
    const q = randomTensor(backend, [1, 1, shape.heads, shape.headDim], 1);
    const out = (cache: KvCache) => () => attendAll(backend, q, cache, keys);
    const times = await interleave(
      {
        read: meters.read,
        peak: meters.peak,
        f32: out(caches[0]),
        f16: out(caches[1]),
        i8: out(caches[2]),
        i4: out(caches[3]),
      },
      rounds,
    );
    const bandwidth = readBytes / times.read.median;
    const peak = meters.flops() / times.peak.median;
    const flops = 4 * keys * shape.heads * shape.headDim * shape.layers;
    for (const [i, dtype] of dtypes.entries()) {
      const { median, least, most } = times[dtype];
      const what = `decode, ${keys} keys, ${dtype}`;
      const micros = (seconds: number): number => (1e6 * seconds) / shape.layers;
      const spread = [micros(least), micros(most)] as const;
      rows.push({ what: `${what}, a layer`, value: micros(median), unit: "µs", spread });
      const read = (100 * caches[i].sizeBytes) / median / bandwidth;
      rows.push({ what: `${what}, of the read bandwidth`, value: read, unit: "%" });
      if (keys === manyKeys) rows.push(overWeights(what, (median * bandwidth) / weightBytes, read));
      const share = (100 * flops) / median / peak;
      rows.push({ what: `${what}, of the FMA peak`, value: share, unit: "%" });
    }
    for (const cache of caches) cache.release();
  }
  return rows;
}

/** The time of all layers over that in which memory can give the weights. */
function overWeights(what: string, value: number, read: number): Row {
  const row = { what: `${what}, over reading the weights of w4g64`, value, unit: "×" };
  if (!/f16|i8/.test(what)) return row;
  const met = value <= 1 || read >= leastBandwidth;
  return { ...row, goal: { text: `≤ 1 ×, or ${leastBandwidth} % of the bandwidth`, met } };
}

async function measurePrefill(backend: NativeBackend, meters: Meters): Promise<Row[]> {
  const caches = dtypes.map((dtype) => filledCache(backend, dtype, prompt, 1));
  const q = randomTensor(backend, [1, prompt, shape.heads, shape.headDim], 2);
  const run = (cache: KvCache) => () => attendAll(backend, q, cache, prompt);
  const times = await interleave(
    {
      peak: meters.peak,
      f32: run(caches[0]),
      f16: run(caches[1]),
      i8: run(caches[2]),
      i4: run(caches[3]),
    },
    rounds,
  );
  const peak = meters.flops() / times.peak.median;
  const flops = 4 * ((prompt * (prompt + 1)) / 2) * shape.heads * shape.headDim;
  return dtypes.flatMap((dtype) => {
    const { median, least, most } = times[dtype];
    const what = `prefill, ${prompt} tokens, ${dtype}`;
    const share = (100 * flops) / median / peak;
    return [
      {
        what: `${what}, a layer`,
        value: 1e3 * median,
        unit: "ms",
        spread: [1e3 * least, 1e3 * most] as const,
      },
      { what: `${what}, of the FMA peak`, value: share, unit: "%" },
    ];
  });
}

function measureSampling(): Row[] {
  const ways: readonly [string, SamplingOptions][] = [
    ["greedy", {}],
    ["top-k 40", { temperature: 0.8, topK: 40 }],
    ["top-p 0.95", { temperature: 0.8, topP: 0.95 }],
    ["min-p 0.05", { temperature: 0.8, minP: 0.05 }],
  ];
  return [32_000, 151_936].flatMap((vocabulary) => {
    const logits = randomLogits(vocabulary);
    return ways.map(([name, options]) => {
      const prng = new Prng(1);
      const seconds: number[] = [];
      for (let i = 0; i < 300; i++) {
        const started = performance.now();
        sampleToken(logits, options, [], prng);
        seconds.push((performance.now() - started) / 1000);
      }
      const { median, least, most } = timingOf(seconds.slice(100));
      const row: Row = {
        what: `sampling, ${vocabulary} tokens, ${name}`,
        value: 1e3 * median,
        unit: "ms",
        spread: [1e3 * least, 1e3 * most],
      };
      return vocabulary > 32_000 ? row : { ...row, goal: goal(row.value, 0.3, "ms", true) };
    });
  });
}

/** Logits as of a language model: most are noise, a few stand out. */
function randomLogits(vocabulary: number): Float32Array {
  const prng = new Prng(3);
  const logits = Float32Array.from({ length: vocabulary }, () => 2.5 * prng.normal());
  for (let i = 0; i < 30; i++) logits[prng.below(vocabulary)] += 4 + 8 * prng.uniform();
  return logits;
}

/** One pass over all layers of the cache. */
async function attendAll(
  backend: NativeBackend,
  q: Tensor,
  cache: KvCache,
  keys: number,
): Promise<void> {
  const options = { scale: shape.headDim ** -0.5, keyLength: keys };
  for (let layer = 0; layer < cache.layerCount; layer++) {
    attendLayer(q, cache.layer(layer), options).release();
  }
  await backend.synchronize();
}

function filledCache(
  backend: NativeBackend,
  dtype: KvCacheDType,
  keys: number,
  blocks = shape.layers,
): KvCache {
  const { kvHeads, headDim } = shape;
  const cache = new KvCache(backend, { blocks, kvHeads, headDim, capacity: keys, dtype });
  const rows = randomTensor(backend, [1, keys, kvHeads, headDim], 4);
  for (let layer = 0; layer < blocks; layer++) writeLayer(cache.layer(layer), rows, rows, 0);
  return cache;
}

function randomTensor(
  backend: Tensor["backend"],
  dims: readonly number[],
  seed: number,
): Tensor<"f32"> {
  const prng = new Prng(seed);
  const size = dims.reduce((product, n) => product * n, 1);
  const values = Float32Array.from({ length: size }, () => prng.uniform() - 0.5);
  return Tensor.from(backend, "f32", dims, values);
}

/** Compares attention with the reference kernel before anything is timed. */
async function checkAttention(backend: NativeBackend): Promise<void> {
  for (const dtype of dtypes) {
    const results: Float32Array[] = [];
    for (const on of [backend, createReferenceBackend()]) {
      const size = { blocks: 1, kvHeads: 2, headDim: 64, capacity: 200, dtype };
      const cache = new KvCache(on, size);
      const rows = randomTensor(on, [1, 200, 2, 64], 5);
      writeLayer(cache.layer(0), rows, rows, 0);
      const q = randomTensor(on, [1, 1, 16, 64], 6);
      const options = { scale: 0.125, keyLength: 200 };
      results.push(await attendLayer(q, cache.layer(0), options).read());
    }
    const [fast, exact] = results;
    const worst = exact.reduce((max, x, i) => Math.max(max, Math.abs(x - fast[i])), 0);
    if (!(worst < 1e-5)) throw new Error(`attention over ${dtype} is wrong: off by ${worst}`);
  }
}

/** What the machine can do: reading memory and multiplying. */
interface Meters {
  readonly read: () => Promise<void>;
  readonly peak: () => Promise<void>;
  /** Floating-point operations of one `peak`. */
  readonly flops: () => number;
  readonly close: () => void;
}

function openMeters(level: string): Meters {
  const result = loadAddon();
  if (!("addon" in result)) throw new Error(result.reason);
  const queue = new NativeQueue(result.addon, level, 1);
  const flops = new Float64Array(1);
  const sink = new Float32Array(192);
  const sums = new Float32Array(readBytes / megabyte);
  const bytes = new Float32Array(readBytes / 4).fill(1);
  return {
    read: () => {
      queue.run("read_bandwidth", [sums, bytes]);
      return queue.synchronize();
    },
    peak: () => {
      queue.run("fma_peak", [flops, sink, peakRounds]);
      return queue.synchronize();
    },
    flops: () => flops[0],
    close: () => queue.close(),
  };
}
