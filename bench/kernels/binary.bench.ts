import type { Backend } from "../../src/backend/backend.ts";
import type { PreparedOperand } from "../../src/backend/packed-operand.ts";
import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import { packedRowBytes } from "../../src/quant/packing.ts";
import { packings } from "../../src/quant/packings/index.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { Prng } from "../../src/util/prng.ts";
import { type Benchmark, interleave, type Row, rateRow } from "../harness.ts";
import { bandwidthMeter } from "../read-bandwidth.ts";

/** Rows and columns: a layer of a small model, one that a cache holds, one that none does. */
const shapes = [
  [576, 1536],
  [2048, 2048],
  [4096, 11008],
] as const;
const tokenCounts = [1, 8, 128] as const;
/** Products of one timing, so that even the smallest take long enough. */
const timedWork = 2 ** 29;
const rotateBytes = 96 * 2 ** 20;
const rounds = 9;

/**
 * Signs with signs, by counting differing bits, against the same weights with inputs of 8 bits
 * (`fast`), on one core.
 */
const benchmark: Benchmark = {
  name: "binary",
  title: "1-bit weights with 1-bit and 8-bit inputs, one core",
  run: async (note) => {
    const backend = createNativeBackend({ threads: 1 });
    note(backend.description);
    const rows: Row[] = [];
    for (const [outFeatures, inFeatures] of shapes) {
      const weights = makeWeights(backend, outFeatures, inFeatures);
      for (const tokens of tokenCounts) rows.push(...(await measure(backend, weights, tokens)));
    }
    backend.close();
    return rows;
  },
};
export default benchmark;

/** One weight where a cache holds it, otherwise as many as none does. */
function makeWeights(backend: Backend, outFeatures: number, inFeatures: number): PreparedOperand[] {
  const layout = packings.bits1;
  const rowBytes = packedRowBytes(layout, inFeatures);
  const size = rowBytes * outFeatures;
  const random = new Prng(1);
  const codes = Uint8Array.from({ length: size }, () => random.below(256));
  const make = (): PreparedOperand =>
    backend.prepare({
      outFeatures,
      inFeatures,
      groupSize: inFeatures,
      layout,
      codes,
      rowBytes,
      scales: new Uint16Array(outFeatures).fill(0x2000),
      zeroPoints: null,
      origin: -1,
      step: 2,
    });
  const count = size < 2 ** 20 ? 1 : Math.ceil(rotateBytes / size);
  return Array.from({ length: count }, make);
}

async function measure(
  backend: Backend,
  weights: readonly PreparedOperand[],
  tokens: number,
): Promise<Row[]> {
  const [{ outFeatures, inFeatures }] = weights;
  const random = new Prng(2);
  const values = Float32Array.from({ length: tokens * inFeatures }, () => random.normal());
  const x = Tensor.from(backend, "f32", [tokens, inFeatures], values);
  const out = Tensor.empty(backend, "f32", [tokens, outFeatures]);
  const work = tokens * outFeatures * inFeatures;
  const times = Math.max(weights.length, Math.ceil(timedWork / work));
  const { kernels } = backend;
  const repeat = async (multiply: (weight: PreparedOperand) => void): Promise<void> => {
    for (let i = 0; i < times; i++) multiply(weights[i % weights.length]);
    await backend.synchronize();
  };
  const reader = bandwidthMeter(1, rotateBytes >> 20);
  const timings = await interleave(
    {
      read: () => reader.measure(),
      bits: () => repeat((weight) => kernels.binaryMatmul(out, x, weight, true)),
      bytes: () => repeat((weight) => kernels.packedMatmul(out, x, weight, "fast")),
    },
    rounds,
  );
  reader.close();
  const name = `${outFeatures} × ${inFeatures}, ${tokens} ${tokens === 1 ? "token" : "tokens"}`;
  const giga = (times * work) / 1e9;
  const weightGigabytes = (times * outFeatures * inFeatures) / 8e9;
  const bandwidth = rotateBytes / 1e9 / timings.read.median;
  const rows = [
    rateRow(`${name}, 1-bit inputs`, giga, timings.bits, "G products/s"),
    rateRow(`${name}, 8-bit inputs`, giga, timings.bytes, "G products/s"),
    {
      what: `${name}, 8-bit over 1-bit time`,
      value: timings.bytes.median / timings.bits.median,
      unit: "×",
      spread: [
        timings.bytes.least / timings.bits.most,
        timings.bytes.most / timings.bits.least,
      ] as const,
    },
  ];
  if (tokens > 1) return rows;
  const share = (100 * weightGigabytes) / timings.bits.median / bandwidth;
  return [...rows, { what: `${name}, 1-bit inputs, of the bandwidth`, value: share, unit: "%" }];
}
