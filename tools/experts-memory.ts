import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { quantize, type QuantizeOptions } from "../src/index.ts";
import { CheckpointWriter } from "../src/formats/checkpoint-writer.ts";
import { expectedTensors } from "../src/models/decoder-tensors.ts";
import { readModelConfig } from "../src/models/index.ts";
import { elementCount, type Shape } from "../src/tensor/shape.ts";
import { floatsToBfloats } from "../src/util/half.ts";
import { Prng } from "../src/util/prng.ts";
import { writeTinyCheckpoint } from "../test/golden/tiny-checkpoint.ts";

/*
 * Measures the memory that quantizing a model of one block takes by the number of its experts:
 *
 *   node tools/experts-memory.ts --experts 1,64 --methods rtn,hqq,gptq
 *
 * Each run is a process of its own. The table has the peak of its private memory (RssAnon, read by
 * this process every other millisecond; pages of mapped files are the system's), and by how many
 * experts in float32 it is above the run with the first count. The checkpoints are in bfloat16.
 */

const { values } = parseArgs({
  options: {
    experts: { type: "string", default: "1,64" },
    methods: { type: "string", default: "rtn,hqq,gptq" },
    transforms: { type: "string", default: "" },
    hidden: { type: "string", default: "1024" },
    width: { type: "string", default: "2816" },
    used: { type: "string", default: "8" },
    samples: { type: "string", default: "32" },
    run: { type: "string" },
    out: { type: "string" },
  },
});
const [hidden, width, used, samples] = [
  values.hidden,
  values.width,
  values.used,
  values.samples,
].map(Number);

/** Writes a model of one block in bfloat16, with a text beside it. */
async function writeModel(experts: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-experts-"));
  const tiny = await writeTinyCheckpoint({ modelCase: "olmoe" });
  const json = {
    ...JSON.parse(readFileSync(join(tiny.path, "config.json"), "utf8")),
    hidden_size: hidden,
    intermediate_size: width,
    num_attention_heads: 8,
    num_key_value_heads: 8,
    num_hidden_layers: 1,
    num_experts: experts,
    num_experts_per_tok: Math.min(used, experts),
    max_position_embeddings: 512,
  };
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    writeFileSync(join(folder, file), readFileSync(join(tiny.path, file)));
  }
  await tiny.remove();
  writeFileSync(join(folder, "config.json"), JSON.stringify(json));
  const words = "the cat sat on a mat and saw that dogs run far from here\n";
  const text = Array.from({ length: 40 * samples }, (_, i) => words.slice(i % 40));
  writeFileSync(join(folder, "text.txt"), text.join(""));
  const tensors = [...expectedTensors(readModelConfig(json))];
  const entries = tensors.map(([name, shape]) => ({ name, dtype: "bf16" as const, shape }));
  const writer = await CheckpointWriter.create(folder, entries);
  for (const [name, shape] of tensors) await writer.write(name, weightsOf(shape, name));
  await writer.finish();
  return folder;
}

const drawn = new Map<string, Uint16Array>();

/** Weights by shape; those of the router are its own, so that tokens are spread. */
function weightsOf(shape: Shape, name: string): Uint16Array {
  const key = `${shape.join("x")} ${name.includes("gate.") && name}`;
  const known = drawn.get(key);
  if (known) return known;
  const random = new Prng(drawn.size);
  const scale = shape.length === 1 ? 0 : 2 / Math.sqrt(shape[1]);
  const offset = shape.length === 1 ? 1 : 0;
  const floats = new Float32Array(elementCount(shape));
  for (let i = 0; i < floats.length; i++) floats[i] = offset + scale * (random.uniform() - 0.5);
  const weights = floatsToBfloats(floats);
  drawn.set(key, weights);
  return weights;
}

/** Quantizes; this is all that the measured process does. */
async function run(model: string, out: string): Promise<void> {
  const usesText = values.methods === "gptq" || values.transforms !== "";
  const options: object = {
    method: values.methods,
    scheme: values.methods === "hqq" ? "w4g64-floatzero" : "w4g64",
    out,
    threads: 1,
    ...(values.transforms !== "" && { transforms: [{ method: values.transforms }] }),
    ...(usesText && { calibration: join(model, "text.txt"), samples, window: 256 }),
  };
  await quantize(model, options as QuantizeOptions);
}

/** Runs this file as another process. @returns the peak of its private memory, in bytes */
async function measure(model: string, method: string): Promise<number> {
  const out = mkdtempSync(join(tmpdir(), "fewbit-experts-out-"));
  const own = fileURLToPath(import.meta.url);
  const passed = ["transforms", "samples"].flatMap((name) => [
    `--${name}`,
    String(values[name as "transforms"]),
  ]);
  const args = [own, "--run", model, "--out", join(out, "out"), "--methods", method, ...passed];
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, 1024 * Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, 2);
  const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
  clearInterval(timer);
  rmSync(out, { recursive: true });
  if (code !== 0) throw new Error(`the run ended with code ${code}`);
  return peak;
}

if (values.run !== undefined) await run(values.run, values.out ?? "");
else {
  const expertBytes = 12 * hidden * width;
  console.log(`one expert in float32: ${(expertBytes / 1e6).toFixed(1)} MB`);
  const first = new Map<string, number>();
  for (const experts of values.experts.split(",").map(Number)) {
    const model = await writeModel(experts);
    for (const method of values.methods.split(",")) {
      const peak = await measure(model, method);
      const before = first.get(method) ?? peak;
      first.set(method, before);
      const more = ((peak - before) / expertBytes).toFixed(2);
      console.log(`${experts} experts, ${method}: ${(peak / 1e6).toFixed(0)} MB, ${more} more`);
    }
    rmSync(model, { recursive: true });
  }
}
