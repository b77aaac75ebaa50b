import type { Backend } from "../../src/backend/backend.ts";
import { loadAddon } from "../../src/kernels/native/addon.ts";
import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import { NativeQueue } from "../../src/kernels/native/queue.ts";
import { referenceKernels } from "../../src/kernels/reference/index.ts";
import { accumulateGram, inverseCholesky } from "../../src/tensor/quantization-ops.ts";
import { cast } from "../../src/tensor/ops.ts";
import { matmulInto } from "../../src/tensor/products.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { Prng } from "../../src/util/prng.ts";
import { type Benchmark, goal, interleave, type Row, rateRow } from "../harness.ts";

const size = 1024;
const peakRounds = 4_000_000;
const rounds = 15;

/** A linear layer of a training step: tokens, inputs, outputs. */
const layer = { tokens: 1024, inputs: 2048, outputs: 5632 } as const;

/**
 * Matrix products, among them the three of a linear layer in training, and the linear algebra of
 * GPTQ, on one core, against the FMA peak of the same run.
 */
const benchmark: Benchmark = {
  name: "gemm",
  title: `matrix products, ${size} × ${size} × ${size}, one core`,
  run: async (note) => {
    const backend = createNativeBackend({ threads: 1 });
    note(backend.description);
    const random = new Prng(1);
    const matrix = (rows: number, columns: number): Tensor<"f32"> =>
      Tensor.from(
        backend,
        "f32",
        [rows, columns],
        Float32Array.from({ length: rows * columns }, () => random.uniform() - 0.5),
      );
    const a = matrix(size, size);
    const b = matrix(size, size);
    const [a16, b16] = [cast(a, "bf16"), cast(b, "bf16")];
    const out = Tensor.empty(backend, "f32", [size, size]);
    await checkProduct(a, b, out);
    const tokens = matrix(2048, 2048);
    const gram = Tensor.zeros(backend, "f64", [2048, 2048]);
    const hessian = Tensor.zeros(backend, "f64", [2048, 2048]);
    accumulateGram(hessian, tokens);
    const damped = (await hessian.read()).filter((_, i) => i % 2049 === 0).map((x) => x * 1.1);
    const diagonal = Tensor.from(backend, "f64", [2048], damped);
    const training = trainingProducts(backend);
    const peak = peakMeter(backend.level);
    const times = await interleave(
      {
        peak: () => peak.run(),
        f32: () => run(() => matmulInto(out, a, b), backend),
        turned: () => run(() => matmulInto(out, a, b, { transposeB: true }), backend),
        bf16: () => run(() => matmulInto(out, a16, b16), backend),
        forward: () => run(training.forward, backend),
        byInputs: () => run(training.byInputs, backend),
        byWeights: () => run(training.byWeights, backend),
        gram: () => run(() => accumulateGram(gram, tokens), backend),
        factor: () =>
          run(() => {
            const { u, status } = inverseCholesky(hessian, diagonal);
            u.release();
            status.release();
          }, backend),
      },
      rounds,
    );
    const giga = (2 * size ** 3) / 1e9;
    const speedOf = (timing: { median: number }): number => giga / timing.median;
    const peakSpeed = peak.gigaFlops / times.peak.median;
    const share = (100 * speedOf(times.f32)) / peakSpeed;
    const ratio = speedOf(times.bf16) / speedOf(times.f32);
    const layerGiga = (2 * layer.tokens * layer.inputs * layer.outputs) / 1e9;
    const trainingRow = (what: string, timing: (typeof times)["bf16"]): Row => {
      const speed = (100 * layerGiga) / timing.median / speedOf(times.bf16);
      return {
        what: `${what} over bfloat16 a·b`,
        value: speed,
        unit: "%",
        goal: goal(speed, 80, "%"),
      };
    };
    const rows: Row[] = [
      rateRow("FMA peak, float32", peak.gigaFlops, times.peak, "GFLOP/s"),
      rateRow("float32 a·b", giga, times.f32, "GFLOP/s"),
      rateRow("float32 a·bᵀ", giga, times.turned, "GFLOP/s"),
      { what: "float32 a·b of the peak", value: share, unit: "%", goal: goal(share, 75, "%") },
      rateRow("bfloat16 a·b", giga, times.bf16, "GFLOP/s"),
      { what: "bfloat16 over float32", value: ratio, unit: "×", goal: goal(ratio, 1.5, "×") },
      rateRow("training, y = x·Wᵀ, bfloat16", layerGiga, times.forward, "GFLOP/s"),
      trainingRow("y = x·Wᵀ", times.forward),
      trainingRow("dx = dy·W", times.byInputs),
      trainingRow("dW = dyᵀ·x", times.byWeights),
      rateRow(
        "Gram matrix, 2048 rows of 2048 (half the products)",
        2048 ** 3 / 1e9,
        times.gram,
        "GFLOP/s",
      ),
      rateRow(
        "factor of the inverse, 2048, float64",
        (2 * 2048 ** 3) / 3e9,
        times.factor,
        "GFLOP/s",
      ),
    ];
    backend.close();
    peak.close();
    return rows;
  },
};
export default benchmark;

/** The products of a linear layer with its weight in bfloat16: forward, and the two gradients. */
function trainingProducts(backend: Backend): {
  readonly forward: () => void;
  readonly byInputs: () => void;
  readonly byWeights: () => void;
} {
  const { tokens, inputs, outputs } = layer;
  const random = new Prng(2);
  const halves = (rows: number, columns: number): Tensor => {
    // bfloat16 numbers of magnitude 2^-6 to 2^-4.
    const bits = Uint16Array.from(
      { length: rows * columns },
      () => 0x3c80 + (random.uint32() & 0x80ff),
    );
    return Tensor.from(backend, "bf16", [rows, columns], bits);
  };
  const empty = (rows: number, columns: number): Tensor =>
    Tensor.empty(backend, "f32", [rows, columns]);
  const [x, weight, dy] = [
    halves(tokens, inputs),
    halves(outputs, inputs),
    halves(tokens, outputs),
  ];
  const [y, dx, dWeight] = [empty(tokens, outputs), empty(tokens, inputs), empty(outputs, inputs)];
  return {
    forward: () => matmulInto(y, x, weight, { transposeB: true }),
    byInputs: () => matmulInto(dx, dy, weight),
    byWeights: () => matmulInto(dWeight, dy, x, { transposeA: true }),
  };
}

async function run(enqueue: () => void, backend: { synchronize(): Promise<void> }): Promise<void> {
  enqueue();
  await backend.synchronize();
}

/** Compares the product with the reference kernel before anything is timed. */
async function checkProduct(a: Tensor, b: Tensor, out: Tensor): Promise<void> {
  matmulInto(out, a, b);
  const fast = (await out.read()) as Float32Array;
  const rows = 8;
  const expected = new Float32Array(rows * size);
  const view = (shape: number[], storage: object) => ({ dtype: "f32" as const, shape, storage });
  const top = ((await a.read()) as Float32Array).subarray(0, rows * size);
  referenceKernels.matmul(
    view([rows, size], expected),
    view([rows, size], top),
    view([size, size], await b.read()),
    {},
  );
  const worst = expected.reduce((max, x, i) => Math.max(max, Math.abs(x - fast[i])), 0);
  if (!(worst < 1e-3)) throw new Error(`the product is wrong: off by ${worst}`);
}

function peakMeter(level: string): {
  run(): Promise<void>;
  readonly gigaFlops: number;
  close(): void;
} {
  const result = loadAddon();
  if (!("addon" in result)) throw new Error(result.reason);
  const queue = new NativeQueue(result.addon, level, 1);
  const flops = new Float64Array(1);
  const sink = new Float32Array(192);
  const once = async (count: number): Promise<void> => {
    queue.run("fma_peak", [flops, sink, count]);
    await queue.synchronize();
  };
  return {
    run: () => once(peakRounds),
    get gigaFlops(): number {
      return flops[0] / 1e9;
    },
    close: () => queue.close(),
  };
}
