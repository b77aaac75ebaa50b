import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RunRecord } from "../../src/run/run-record.ts";
import { Prng } from "../../src/util/prng.ts";
import { type Benchmark, goal, type Row } from "../harness.ts";
import { writeRandomCheckpoint } from "./random-checkpoint.ts";

const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? 30);
const vocabulary = Number(process.env["FEWBIT_BENCH_VOCABULARY"] ?? 49_152);
const steps = Number(process.env["FEWBIT_BENCH_STEPS"] ?? 3);
const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** A training of the whole model: its flags, and the prefix that flags of the training have. */
interface Training {
  readonly name: string;
  readonly flags: readonly string[];
  readonly prefix: string;
  /** Goal for the leanest way, in GB. */
  readonly most: number;
}

const trainings: readonly Training[] = [
  {
    name: "ParetoQ w2-seq, 8 × 512",
    flags: ["--method", "paretoq", "--scheme", "w2-seq", "--batch", "8"],
    prefix: "--",
    most: 3,
  },
  {
    name: "E2E-QP w2g64, 4 × 512",
    flags: ["--method", "rtn", "--scheme", "w2g64", "--finish", "e2e-qp", "--e2e-qp-batch", "4"],
    prefix: "--e2e-qp-",
    most: 1.2,
  },
  {
    name: "OneBit, 4 × 512",
    flags: ["--preset", "onebit", "--scheme", "w1-onebit", "--onebit-kd-batch", "4"],
    prefix: "--onebit-kd-",
    most: 4,
  },
];

/** Ways to take less memory, by the options that ask for them. */
const ways: readonly (readonly [string, readonly (readonly [string, string?])[]])[] = [
  ["as it is", []],
  ["one window at once", [["windows-at-once", "1"]]],
  [
    "and moments in bfloat16",
    [
      ["windows-at-once", "1"],
      ["moments", "bf16"],
    ],
  ],
  ["and blocks computed again", [["windows-at-once", "1"], ["moments", "bf16"], ["recompute"]]],
];

/**
 * Peak memory and time a step of training the whole of a random model of the shape of
 * SmolLM2-135M, and what each way to take less memory does to both.
 */
const benchmark: Benchmark = {
  name: "training-memory",
  title: `Trainings of a 135 M Llama shape, ${layers} layers, vocabulary ${vocabulary}`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const [model, text] = [join(folder, "model"), join(folder, "text.txt")];
      await writeRandomCheckpoint(model, shape());
      const random = new Prng(2);
      const letters = Array.from({ length: 512 * 40 }, () => 97 + random.below(26));
      writeFileSync(text, String.fromCharCode(...letters));
      const rows: Row[] = [];
      for (const training of trainings) {
        rows.push(
          ...(await measureWays(training, { model, text, out: join(folder, "out") }, note)),
        );
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

function shape(): Record<string, unknown> {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: layers,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    vocab_size: vocabulary,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    rope_theta: 100_000,
    tie_word_embeddings: true,
    bos_token_id: 256,
    eos_token_id: 257,
    torch_dtype: "bfloat16",
  };
}

async function measureWays(
  { name, flags, prefix, most }: Training,
  { model, text, out }: { readonly model: string; readonly text: string; readonly out: string },
  note: (line: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  let whole = 0;
  for (const [index, [way, options]] of ways.entries()) {
    const asked = [["steps", String(steps)], ...options].flatMap(([option, value]) =>
      value === undefined ? [`${prefix}${option}`] : [`${prefix}${option}`, value],
    );
    const data = ["--calibration", text, "--samples", "32", "--window", "512"];
    const words = ["quantize", model, ...flags, ...asked, ...data, "--out", out, "--overwrite"];
    await promisify(execFile)(process.execPath, [cli, ...words], { maxBuffer: 2 ** 26 });
    const { gigabytes, seconds } = figuresOf(out);
    if (index === 0) whole = seconds;
    const isLeanest = index === ways.length - 1;
    rows.push(
      {
        what: `${name}, ${way}: peak memory`,
        value: gigabytes,
        unit: "GB",
        ...(isLeanest && { goal: goal(gigabytes, most, "GB", true) }),
      },
      { what: `${name}, ${way}: time of a step`, value: seconds / whole, unit: "×" },
    );
    note(`${name}, ${way}: ${gigabytes.toFixed(2)} GB, ${seconds.toFixed(1)} s a step`);
  }
  return rows;
}

/** Peak memory of a run in GB, and seconds a step of its training. */
function figuresOf(out: string): { readonly gigabytes: number; readonly seconds: number } {
  const record = JSON.parse(readFileSync(join(out, "run.json"), "utf8")) as RunRecord;
  const training = record.training ?? record.finishers?.at(-1)?.training;
  if (!training) throw new Error(`${out} was not trained`);
  const gigabytes = record.peakMemoryBytes / 1e9;
  return { gigabytes, seconds: training.elapsedMs / 1000 / training.steps };
}
