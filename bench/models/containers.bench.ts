import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readQTensor } from "../../src/formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../src/formats/quantization-config.ts";
import { exportCheckpoint } from "../../src/index.ts";
import { openAnyCheckpoint } from "../../src/runtime/open-checkpoint.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import { billionShape } from "./random-checkpoint.ts";
import { writeRandomPackedCheckpoint } from "./random-packed-checkpoint.ts";

const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? 6);
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 3);
const exported = ["gptq", "awq", "compressed-tensors", "mlx", "onnx"] as const;
const program = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

type Format = (typeof exported)[number];

/** A random checkpoint, and where exports of it go. */
interface Source {
  readonly path: string;
  readonly outs: string;
}

/**
 * Export and import of a random 1.1 B Llama shape in gigabytes of the container's weight files a
 * second of processor time, of all threads: what one core does. Two sizes are measured, and the rate
 * is that of what the larger one has more, so that what a run costs once is not in it; the same of
 * the whole command in seconds of the clock. The file cache is warm, and the loops are compiled.
 */
const benchmark: Benchmark = {
  name: "containers",
  title: `containers of other programs, 1.1 B Llama shape at w4g64, 1 and ${layers} layers`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const small = await makeSource(join(folder, "small"), 1);
      const large = await makeSource(join(folder, "large"), layers);
      const rows: Row[] = [];
      for (const format of exported) {
        rows.push(...(await measure(small, large, format)));
        note(`${format} is measured`);
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

async function makeSource(folder: string, count: number): Promise<Source> {
  const path = join(folder, "source");
  // Few words: what is not packed is copied.
  const shape = { ...billionShape(count), vocab_size: 1024 };
  await writeRandomPackedCheckpoint(path, { shape, scheme: "w4g64", headScheme: null, seed: 1 });
  return { path, outs: folder };
}

async function measure(small: Source, large: Source, format: Format): Promise<Row[]> {
  const outOf = ({ outs }: Source): string => join(outs, format);
  const write = ({ path, outs }: Source) =>
    exportCheckpoint(path, { format, out: join(outs, format), overwrite: true });
  const writing = await compare(small, large, write);
  const more = (sizeOf(outOf(large)) - sizeOf(outOf(small))) / 1e9;
  const command = commandSeconds(large, format) - commandSeconds(small, format);
  const rows = [
    speedRow(`${format}: export`, more, writing),
    { what: `${format}: export, whole command by the clock`, value: command / more, unit: "s/GB" },
  ];
  // ONNX is written only.
  if (format === "onnx") return rows;
  const reading = await compare(small, large, (source) => readAll(outOf(source)));
  return [...rows, speedRow(`${format}: import`, more, reading)];
}

/** Seconds of processor time that the larger one takes more, of each round. */
async function compare(
  small: Source,
  large: Source,
  task: (source: Source) => Promise<unknown>,
): Promise<number[]> {
  const least = await repeat(() => task(small));
  const most = await repeat(() => task(large));
  return most.map((seconds, round) => Math.max(1e-3, seconds - least[round]));
}

function commandSeconds({ path, outs }: Source, format: Format): number {
  const out = join(outs, format);
  const begin = performance.now();
  const { status, stderr } = spawnSync(
    process.execPath,
    [program, "export", path, "--format", format, "--out", out, "--overwrite", "--quiet"],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(stderr);
  return (performance.now() - begin) / 1e3;
}

/** Reads every tensor as a model is loaded from it: codes packed anew, all others as they are. */
async function readAll(path: string): Promise<void> {
  const checkpoint = await openAnyCheckpoint(path);
  const modules = readQuantizationConfig(checkpoint.config)?.modules ?? new Map();
  for (const [name, module] of modules) await readQTensor(checkpoint, name, module);
  for (const { name, begin, end } of checkpoint.tensors.values()) {
    const owner = name.slice(0, name.lastIndexOf("."));
    if (!modules.has(owner)) await checkpoint.readInto(name, new Uint8Array(end - begin), 0);
  }
  await checkpoint.close();
}

function speedRow(what: string, gigabytes: number, seconds: readonly number[]): Row {
  const { median, least, most } = timingOf(seconds.map((each) => gigabytes / each));
  const reached = goal(median, 0.5, "GB/s");
  return { what, value: median, unit: "GB/s", spread: [least, most], goal: reached };
}

/** Bytes of the files that hold weights. */
function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(safetensors|onnx|onnx_data.*)$/.test(name))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** Seconds of processor time of each round; the first one does not count. */
async function repeat(task: () => Promise<unknown>): Promise<number[]> {
  const seconds: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const before = process.cpuUsage();
    await task();
    const { user, system } = process.cpuUsage(before);
    if (round > 0) seconds.push((user + system) / 1e6);
  }
  return seconds;
}
