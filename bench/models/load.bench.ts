import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { load } from "../../src/index.ts";
import { type Benchmark, goal, type Row, type Timing, timingOf } from "../harness.ts";
import { billionShape, writeRandomCheckpoint } from "./random-checkpoint.ts";
import { writeRandomPackedCheckpoint } from "./random-packed-checkpoint.ts";

const execute = promisify(execFile);
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 5);
const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? 22);
const scheme = process.env["FEWBIT_BENCH_SCHEME"] ?? "w4g64";
const headScheme = "w4g64";
/** Seconds from the start of the command to the first token. */
const latestToken = 0.3;
const promptTokens = 16;
const root = new URL("../../", import.meta.url);

/**
 * Loading of a packed and of a bfloat16 checkpoint in seconds a GB, in this process; and the time
 * from the start of the command, as it is published, to the first token. The file cache is warm:
 * the files were just written and read.
 */
const benchmark: Benchmark = {
  name: "load",
  title: `loading a 1.1 B Llama shape, ${layers} layers, and the first token`,
  run: async (note) => {
    const directory = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const shape = billionShape(layers);
      const packed = join(directory, "packed");
      const plain = join(directory, "plain");
      await writeRandomPackedCheckpoint(packed, { shape, scheme, headScheme, seed: 1 });
      await writeRandomCheckpoint(plain, shape);
      await execute(process.execPath, [fileURLToPath(new URL("tools/build.mjs", root))]);
      note("the checkpoints are written, the command is built");
      return [
        ...(await loadRows(`${scheme}, head ${headScheme}`, packed)),
        ...(await loadRows("bfloat16", plain)),
        ...(await startRows(packed)),
      ];
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
export default benchmark;

async function loadRows(what: string, directory: string): Promise<Row[]> {
  const gigabytes = readdirSync(directory)
    .filter((name) => name.endsWith(".safetensors"))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size / 1e9, 0);
  const timing = await repeat(async () => {
    const model = await load(directory);
    await model.backend.synchronize();
    model.release();
  });
  const seconds = timing.median / gigabytes;
  const spread = [timing.least / gigabytes, timing.most / gigabytes] as const;
  return [
    { what: `${what}: size`, value: gigabytes, unit: "GB" },
    {
      what: `${what}: load`,
      value: seconds,
      unit: "s/GB",
      spread,
      goal: goal(seconds, 1, "s/GB", true),
    },
  ];
}

/** Runs the command with a prompt of 16 tokens until it has ended after one token. */
async function startRows(directory: string): Promise<Row[]> {
  const cli = fileURLToPath(new URL("dist/cli/main.js", root));
  // Digits are in no merge of the made-up vocabulary: one token each.
  const prompt = "0123456789012345".slice(0, promptTokens);
  const command = ["run", directory, "--prompt", prompt, "--max-tokens", "1", "--json"];
  let seen = 0;
  const timing = await repeat(async () => {
    const { stdout } = await execute(process.execPath, [cli, ...command]);
    seen = (JSON.parse(stdout) as { promptTokens: number }).promptTokens;
  });
  if (seen !== promptTokens) throw new Error(`expected ${promptTokens} tokens, got ${seen}`);
  const node = await repeat(() => execute(process.execPath, ["-e", "0"]));
  return [
    secondsRow("Node alone, from start to end", node),
    {
      ...secondsRow(`from start to end, ${promptTokens} tokens and one more`, timing),
      goal: goal(timing.median, latestToken, "s", true),
    },
  ];
}

function secondsRow(what: string, { median, least, most }: Timing): Row {
  return { what, value: median, unit: "s", spread: [least, most] };
}

/** Times a task; the first time does not count. */
async function repeat(task: () => Promise<unknown>): Promise<Timing> {
  const seconds: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const started = performance.now();
    await task();
    if (round > 0) seconds.push((performance.now() - started) / 1000);
  }
  return timingOf(seconds);
}
