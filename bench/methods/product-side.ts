/**
 * Our products for training.bench.ts: answers each line on standard input with a `ProductStep`:
 * products of linear layers in training, outputs, gradients of inputs and of weights.
 *
 *     node product-side.ts SHAPES
 *
 * SHAPES is a `ProductShapes` as JSON.
 */
import { createInterface } from "node:readline";
import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import { matmul } from "../../src/tensor/products.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import type { ProductShapes } from "./training-cases.ts";
import { WorkMeter } from "./work-meter.ts";

/** What products took, in seconds: all, and by name. */
export interface ProductStep {
  readonly seconds: number;
  readonly byProduct: Readonly<Record<string, number>>;
}

const backend = createNativeBackend({ threads: Number(process.env["FEWBIT_THREADS"] ?? 1) });
const dtype = backend.hasFastBfloat16 ? "bf16" : "f32";
const meter = new WorkMeter(backend);
const { rows, shapes } = JSON.parse(process.argv[2]) as ProductShapes;
const operands = shapes.map(([name, columns, inner]) => ({
  name,
  x: Tensor.zeros(backend, dtype, [rows, inner]),
  weight: Tensor.zeros(backend, dtype, [columns, inner]),
  y: Tensor.zeros(backend, dtype, [rows, columns]),
}));
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
say({ ready: true });
for await (const _ of createInterface({ input: process.stdin })) say(timeProducts());
backend.close();

function timeProducts(): ProductStep {
  const byProduct: Record<string, number> = {};
  let all = 0;
  for (const { name, x, weight, y } of operands) {
    const products: Record<string, () => Tensor> = {
      outputs: () => matmul(x, weight, { transposeB: true }),
      "gradients of inputs": () => matmul(y, weight),
      "gradients of weights": () => matmul(y, x, { transposeA: true }),
    };
    for (const [kind, multiply] of Object.entries(products)) {
      meter.begin();
      multiply().release();
      const key = `${name}, ${kind}`;
      const { seconds } = meter.end();
      byProduct[key] = (byProduct[key] ?? 0) + seconds;
      all += seconds;
    }
  }
  return { seconds: all, byProduct };
}
