/**
 * Our side of methods.bench.ts: answers each line on standard input with JSON, in seconds of
 * processor time. A line holds a `Timed`: the answer is a `MethodTime`. `"products"` asks for a
 * `ProductTime`.
 *
 *     node methods-side.ts CHECKPOINT OUT
 */
import { createInterface } from "node:readline";
import { openBackend } from "../../src/backend/registry.ts";
import { loadCalibration } from "../../src/calibration/dataset.ts";
import { quantize } from "../../src/index.ts";
import type { NativeBackend } from "../../src/kernels/native/native-backend.ts";
import { openModelFiles } from "../../src/runtime/open-checkpoint.ts";
import { linear } from "../../src/tensor/products.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { loadTokenizer } from "../../src/tokenizers/load-tokenizer.ts";
import { type MethodCase, productShape } from "./method-cases.ts";
import { WorkMeter, type WorkTime } from "./work-meter.ts";

/** Options of `quantize`: what is timed, and the run whose time is taken off, RTN without one. */
export interface Timed {
  readonly options: MethodCase["options"];
  readonly around: MethodCase["options"] | null;
}

/** What a method took. */
export interface MethodTime {
  /** All of `quantize`. */
  readonly seconds: number;
  /** The run around it, or RTN without calibration and reading the calibration text. */
  readonly around: number;
  /** What was spent in matrix products, without those of the run around it. */
  readonly products: number;
}

/** What products of `productShape` took. */
export interface ProductTime {
  readonly seconds: number;
}

const threads = 1;

const [model, out] = process.argv.slice(2);
const backend = openBackend({ backend: "native", threads }).backend as NativeBackend;
const meter = new WorkMeter(backend);
const common = { out, overwrite: true, resume: "restart", threads } as const;
const tokenizer = await loadTokenizer(await openModelFiles(model));
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
// The first run loads what the others find: it would be taken off them.
await quantize(model, { ...common, method: "rtn", scheme: "w4g64" });
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line) as Timed | "products";
  say(asked === "products" ? await timeProducts() : await timeMethod(asked));
}

async function timeMethod({ options, around }: Timed): Promise<MethodTime> {
  const less = await timeRun(async () => {
    if (around) return void (await quantize(model, { ...around, ...common }));
    const { calibration: path, samples = 0, window = 0 } = options;
    if (typeof path === "string") await loadCalibration([{ path }], tokenizer, { samples, window });
    await quantize(model, { ...common, method: "rtn", scheme: "w4g64" });
  });
  const all = await timeRun(() => quantize(model, { ...options, ...common }));
  return {
    seconds: all.seconds,
    around: less.seconds,
    products: all.products - less.products,
  };
}

async function timeProducts(): Promise<ProductTime> {
  const { rows, columns, inner, times } = productShape;
  const x = Tensor.zeros(backend, "f32", [rows, inner]);
  const weight = Tensor.zeros(backend, "f32", [columns, inner]);
  const { seconds } = await timeRun(async () => {
    for (let i = 0; i < times; i++) linear(x, weight).release();
    await backend.synchronize();
  });
  for (const tensor of [x, weight]) tensor.release();
  return { seconds };
}

/** Processor time of some work, and how much of it went into matrix products. */
async function timeRun(work: () => PromiseLike<unknown>): Promise<WorkTime> {
  meter.begin();
  await work();
  return meter.end();
}
