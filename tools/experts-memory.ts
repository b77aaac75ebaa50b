import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { quantize, type QuantizeOptions } from "../src/index.ts";
import { CheckpointWriter } from "../src/formats/checkpoint-writer.ts";
import { expectedTensors } from "../src/models/decoder-tensors.ts";
import { readModelConfig } from "../src/models/index.ts";
import { elementCount } from "../src/tensor/shape.ts";
import { Prng } from "../src/util/prng.ts";
import { writeTinyCheckpoint } from "../test/golden/tiny-checkpoint.ts";

/*
 * Measures the memory that quantizing a model of one block takes by the number of its experts:
 *
 *   node tools/experts-memory.ts --experts 64 --method gptq
 *
 * Prints the peak of private memory (RssAnon, sampled; pages of mapped files are the system's), and
 * one expert in float32. Each count wants a process of its own.
 */

const { values } = parseArgs({
  options: {
    experts: { type: "string", default: "1" },
    method: { type: "string", default: "gptq" },
    hidden: { type: "string", default: "512" },
    width: { type: "string", default: "1408" },
  },
});
const [experts, hidden, width] = [values.experts, values.hidden, values.width].map(Number);

const tiny = await writeTinyCheckpoint({ modelCase: "olmoe" });
const folder = mkdtempSync(join(tmpdir(), "fewbit-experts-"));
const results = mkdtempSync(join(tmpdir(), "fewbit-experts-out-"));
process.on("exit", () => {
  for (const path of [folder, results, tiny.path]) rmSync(path, { recursive: true });
});

const json = {
  ...JSON.parse(readFileSync(join(tiny.path, "config.json"), "utf8")),
  hidden_size: hidden,
  intermediate_size: width,
  num_hidden_layers: 1,
  num_experts: experts,
  num_experts_per_tok: 1,
  max_position_embeddings: 512,
};
for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
  writeFileSync(join(folder, file), readFileSync(join(tiny.path, file)));
}
writeFileSync(join(folder, "config.json"), JSON.stringify(json));

const tensors = [...expectedTensors(readModelConfig(json))];
const entries = tensors.map(([name, shape]) => ({ name, dtype: "f32" as const, shape }));
const writer = await CheckpointWriter.create(folder, entries);
const random = new Prng(1);
for (const [name, shape] of tensors) {
  const scale = shape.length === 1 ? 0 : 2 / Math.sqrt(shape[1]);
  const offset = shape.length === 1 ? 1 : 0;
  const weights = new Float32Array(elementCount(shape));
  for (let i = 0; i < weights.length; i++) weights[i] = offset + scale * (random.uniform() - 0.5);
  await writer.write(name, weights);
}
await writer.finish();

function privateBytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return 1024 * Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0);
}

const text = join(folder, "text.txt");
const words = "the cat sat on a mat and saw that dogs run far from here\n";
writeFileSync(text, Array.from({ length: 600 }, (_, i) => words.slice(i % 40)).join(""));
globalThis.gc?.();
const before = privateBytes();
let peak = 0;
const timer = setInterval(() => {
  peak = Math.max(peak, privateBytes());
}, 5);
const options: object = {
  method: values.method,
  scheme: "w4g64",
  out: join(results, "out"),
  threads: 1,
  ...(values.method !== "rtn" && { calibration: text, samples: 8, window: 256 }),
};
await quantize(folder, options as QuantizeOptions);
clearInterval(timer);
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(
  `${experts} experts, ${values.method}: peak ${megabytes(peak)}, ${megabytes(before)} of it before; ` +
    `one expert in float32 ${megabytes(12 * hidden * width)}`,
);
