import type { Backend } from "../../src/backend/backend.ts";
import type { PreparedOperand, Products } from "../../src/backend/packed-operand.ts";
import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import type { LaidOutOperand } from "../../src/kernels/native/lay-out.ts";
import { QTensor } from "../../src/quant/q-tensor.ts";
import {
  expectBlocks,
  expectPlanar,
  parseScheme,
  type PlanarScheme,
  type Scheme,
} from "../../src/quant/scheme.ts";
import { cast } from "../../src/tensor/ops.ts";
import { matmulInto } from "../../src/tensor/products.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { Prng } from "../../src/util/prng.ts";
import { type Benchmark, goal, interleave, type Row, rateRow, type Timing } from "../harness.ts";
import { bandwidthMeter } from "../read-bandwidth.ts";

const outFeatures = 4096;
const inFeatures = 11008;
const rotateBytes = 256 * 2 ** 20;
const rotateGigabytes = rotateBytes / 1e9;
const prefillTokens = 512;
/** As many as there are streams of a server. */
const fewTokens = [4, 8, 16];
const rounds = 9;
const prefillRounds = 3;

/** Schemes, and the share of the read bandwidth that one token has to reach. */
const decodeGoals: readonly (readonly [scheme: string, percent: number | null])[] = [
  ["w8g64", 85],
  ["w8", 85],
  ["w4g64", 85],
  ["w4", 85],
  ["w3g64", null],
  ["w2g64", 78],
  ["w2", 78],
  ["w1.58g64", 50],
  ["w1.58", 50],
  ["w1g64", 50],
  ["w1", 50],
  ["q8_0", 85],
  ["q4_0", 85],
  ["q4_1", 85],
  ["q4_k", 85],
  ["q5_k", null],
  ["q6_k", null],
  ["q2_k", 70],
  ["q3_k", null],
  ["tq2_0", null],
];

/**
 * Packed weights on one core: one token against the read bandwidth, many against the bfloat16
 * product.
 */
const benchmark: Benchmark = {
  name: "packed",
  title: `packed weights, ${outFeatures} × ${inFeatures}, one core`,
  run: async (note) => {
    const backend = createNativeBackend({ threads: 1 });
    note(`${backend.description}, weights rotate through ${rotateBytes / 2 ** 20} MiB`);
    const rows: Row[] = [];
    for (const [scheme, percent] of decodeGoals)
      rows.push(...(await decode(backend, scheme, percent)));
    for (const scheme of ["w4g64", "w3g64", "w2g64"]) rows.push(...(await few(backend, scheme)));
    for (const scheme of ["w4g64", "w2g64", "w2", "w1"])
      rows.push(...(await prefill(backend, scheme)));
    backend.close();
    return rows;
  },
};
export default benchmark;

/** Weights of random codes that together are larger than any cache. */
function makeWeights(backend: Backend, id: string): PreparedOperand[] {
  const scheme = parseScheme(id);
  const random = new Prng(1);
  const make = scheme.blocks
    ? () => randomBlocks(scheme, random)
    : () => randomCodes(expectPlanar(scheme), random);
  const first = make();
  const count = Math.ceil(rotateBytes / first.sizeBytes);
  const weights = [first, ...Array.from({ length: count - 1 }, make)];
  return weights.map((weight) => backend.prepare(weight.operand()));
}

function randomBytes(length: number, random: Prng): Uint8Array {
  const bytes = new Uint8Array(length);
  const words = new Uint32Array(bytes.buffer, 0, length >> 2);
  for (let i = 0; i < words.length; i++) words[i] = random.uniform() * 2 ** 32;
  return bytes;
}

const smallHalf = 0x2000;

function randomCodes(scheme: PlanarScheme, random: Prng): QTensor {
  const sizes = QTensor.sizes(scheme, outFeatures, inFeatures);
  const codes = randomBytes(sizes.codes, random);
  if (scheme.packing.packing === "trits5") for (let i = 0; i < codes.length; i++) codes[i] %= 243;
  const scales = new Uint16Array(sizes.scales / 2).fill(smallHalf);
  const zeros = sizes.zeros > 0 ? new Uint8Array(sizes.zeros).fill(0x55) : null;
  return new QTensor(scheme, outFeatures, inFeatures, { codes, scales, zeros, activations: null });
}

function randomBlocks(scheme: Scheme, random: Prng): QTensor {
  const { blocks: format } = expectBlocks(scheme);
  const count = (outFeatures * inFeatures) / format.columns;
  const bytes = randomBytes(count * format.bytes, random);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    view.setUint16(i * format.bytes + format.scaleAt, smallHalf, true);
    if (format.offsetAt !== null)
      view.setUint16(i * format.bytes + format.offsetAt, smallHalf, true);
  }
  return QTensor.ofBlocks(scheme, outFeatures, inFeatures, bytes);
}

function randomInput(backend: Backend, tokens: number): Tensor<"f32"> {
  const random = new Prng(2);
  const values = Float32Array.from({ length: tokens * inFeatures }, () => random.normal());
  return Tensor.from(backend, "f32", [tokens, inFeatures], values);
}

/** Bytes that one product reads: codes, scales and zero points as they are laid out. */
function bytesRead({ codes, scales, zeros }: LaidOutOperand): number {
  return codes.byteLength + (scales?.byteLength ?? 0) + (zeros?.byteLength ?? 0);
}

async function decode(backend: Backend, scheme: string, percent: number | null): Promise<Row[]> {
  const weights = makeWeights(backend, scheme);
  const x = randomInput(backend, 1);
  const out = Tensor.empty(backend, "f32", [1, outFeatures]);
  await expectClose(backend, weights[0], x, out);
  const reader = bandwidthMeter(1, rotateBytes >> 20);
  const times = await interleave(
    {
      read: () => reader.measure(),
      fast: () => multiplyAll(backend, weights, x, out, "fast"),
      exact: () => multiplyAll(backend, weights.slice(0, 2), x, out, "exact"),
    },
    rounds,
  );
  reader.close();
  const giga = (weights.length * bytesRead(weights[0] as LaidOutOperand)) / 1e9;
  const bandwidth = rotateGigabytes / times.read.median;
  const share = (100 * giga) / times.fast.median / bandwidth;
  const ratio = times.exact.median / 2 / (times.fast.median / weights.length);
  const best = (100 * giga) / times.fast.least / (rotateGigabytes / times.read.least);
  return [
    rateRow("read bandwidth", rotateGigabytes, times.read, "GB/s"),
    rateRow(`${scheme}, one token`, giga, times.fast, "GB/s"),
    {
      what: `${scheme}, one token, of the bandwidth`,
      value: share,
      unit: "%",
      spread: [Math.min(share, best), Math.max(share, best)],
      ...(percent === null ? {} : { goal: goal(share, percent, "%") }),
    },
    { what: `${scheme}, exact over fast time`, value: ratio, unit: "×" },
  ];
}

async function multiplyAll(
  backend: Backend,
  weights: readonly PreparedOperand[],
  x: Tensor,
  out: Tensor,
  products: Products,
): Promise<void> {
  for (const weight of weights) backend.kernels.packedMatmul(out, x, weight, products);
  await backend.synchronize();
}

/** Tokens a second of a few tokens over those of one. */
async function few(backend: Backend, scheme: string): Promise<Row[]> {
  const weights = makeWeights(backend, scheme);
  const tasks = [1, ...fewTokens].map((tokens) => {
    const x = randomInput(backend, tokens);
    const out = Tensor.empty(backend, "f32", [tokens, outFeatures]);
    return [String(tokens), () => multiplyAll(backend, weights, x, out, "fast")] as const;
  });
  const times = await interleave(Object.fromEntries(tasks), prefillRounds);
  return fewTokens.map((tokens) => ({
    what: `${scheme}, ${tokens} tokens, tokens a second over one`,
    value: (tokens * times["1"].median) / times[String(tokens)].median,
    unit: "×",
  }));
}

async function prefill(backend: Backend, scheme: string): Promise<Row[]> {
  const [weight] = makeWeights(backend, scheme).slice(0, 1);
  const x = randomInput(backend, prefillTokens);
  const out = Tensor.empty(backend, "f32", [prefillTokens, outFeatures]);
  await expectClose(backend, weight, x, out);
  const dense = Tensor.zeros(backend, "bf16", [outFeatures, inFeatures]);
  const x16 = cast(x, "bf16");
  const times = await interleave(
    {
      bf16: async () => {
        matmulInto(out, x16, dense, { transposeB: true });
        await backend.synchronize();
      },
      fast: () => multiplyAll(backend, [weight], x, out, "fast"),
      exact: () => multiplyAll(backend, [weight], x, out, "exact"),
    },
    prefillRounds,
  );
  const giga = (2 * prefillTokens * outFeatures * inFeatures) / 1e9;
  const speedup = (timing: Timing): number => times.bf16.median / timing.median;
  const hasGoal = scheme === "w4g64" || scheme === "w2g64";
  return [
    rateRow(`bfloat16 product, ${prefillTokens} tokens`, giga, times.bf16, "GFLOP/s"),
    rateRow(`${scheme}, ${prefillTokens} tokens`, giga, times.fast, "GFLOP/s"),
    {
      what: `${scheme}, ${prefillTokens} tokens, over bfloat16`,
      value: speedup(times.fast),
      unit: "×",
      ...(hasGoal ? { goal: goal(speedup(times.fast), 1.5, "×") } : {}),
    },
    {
      what: `${scheme}, ${prefillTokens} tokens, exact, over bfloat16`,
      value: speedup(times.exact),
      unit: "×",
    },
  ];
}

/** Fast products must be near exact ones before anything is timed. */
async function expectClose(
  backend: Backend,
  weight: PreparedOperand | undefined,
  x: Tensor,
  out: Tensor<"f32">,
): Promise<void> {
  if (!weight) throw new Error("there is no weight to multiply");
  backend.kernels.packedMatmul(out, x, weight, "exact");
  const exact = await out.read();
  backend.kernels.packedMatmul(out, x, weight, "fast");
  const fast = await out.read();
  let [difference, size] = [0, 0];
  for (let i = 0; i < exact.length; i++) {
    difference += (fast[i] - exact[i]) ** 2;
    size += exact[i] ** 2;
  }
  const error = Math.sqrt(difference / size);
  if (!(error < 0.02)) throw new Error(`fast products are off by ${error} of their size`);
}
