/**
 * Our side of block-ap.bench.ts: answers each line on standard input with one Block-AP step and
 * `{ seconds, loss }`; at the end of the input with `{ peakBytes, nanoseconds }` (by op).
 *
 *     node block-ap-side.ts HIDDEN FFN HEADS KV_HEADS TOKENS STEPS
 */
import { createInterface } from "node:readline";
import type { OpTime } from "../../src/kernels/native/addon.ts";
import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import { DecoderModel } from "../../src/models/decoder.ts";
import { expectedTensors } from "../../src/models/decoder-tensors.ts";
import { readModelConfig } from "../../src/models/index.ts";
import type { WeightSource } from "../../src/nn/weight-source.ts";
import { memoryUsage } from "../../src/platform/node.ts";
import { elementCount } from "../../src/tensor/shape.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { runTraining } from "../../src/training/training-loop.ts";
import { blockApSteps } from "./block-ap-steps.ts";
import { hashedValues } from "./hashed-values.ts";

const [hidden, ffn, heads, kvHeads, tokens, steps] = process.argv.slice(2).map(Number);
const backend = createNativeBackend({ threads: 1 });
const config = readModelConfig({
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: hidden,
  intermediate_size: ffn,
  num_hidden_layers: 1,
  num_attention_heads: heads,
  num_key_value_heads: kvHeads,
  vocab_size: 32,
  max_position_embeddings: tokens,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
});

const shapes = new Map(expectedTensors(config));
const names = [...shapes.keys()];
const source: WeightSource = {
  has: (name) => shapes.has(name),
  shape: (name) => shapes.get(name) ?? [],
  tensor: async (name) => {
    const shape = shapes.get(name) ?? [];
    const count = elementCount(shape);
    const values = name.includes("norm")
      ? new Float32Array(count).fill(1)
      : hashedValues(count, names.indexOf(name) + 1, Math.sqrt(3 / (shape[1] ?? 1)));
    return Tensor.from(backend, "f32", shape, values);
  },
  matrix: (module) => source.tensor(`${module}.weight`),
  storedMatrix: (module) => source.tensor(`${module}.weight`),
};

const model = await DecoderModel.open(backend, config, source);
model.releaseEmbeddingAndHead();
const block = await model.loadBlock(0);
const shape = [1, tokens, hidden];
const input = Tensor.from(backend, "f32", shape, hashedValues(tokens * hidden, 101, 1.7));
const training = await blockApSteps({ model, block }, input);
backend.profile();
const spent = new Map<string, number>();
const count = (times: readonly OpTime[]): void => {
  for (const { op, nanoseconds } of times) spent.set(op, (spent.get(op) ?? 0) + nanoseconds);
};

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let startedMs = 0;
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
say({ ready: true });
await runTraining({
  ...training,
  steps,
  loss: async (step, micro) => {
    await lines.next();
    startedMs = performance.now();
    return training.loss(step, micro);
  },
  onStep: (report) => {
    // Waits for the optimizer's work, too. The first step makes memory that later ones use again.
    const times = backend.profile();
    if (report.step > 1) count(times);
    say({ seconds: (performance.now() - startedMs) / 1000, loss: report.loss });
  },
});
say({ peakBytes: memoryUsage().peakResidentBytes, nanoseconds: Object.fromEntries(spent) });
backend.close();
