import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readQTensor } from "../../src/formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../src/formats/quantization-config.ts";
import { exportCheckpoint } from "../../src/index.ts";
import { openAnyCheckpoint } from "../../src/runtime/open-checkpoint.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import { billionShape } from "./random-checkpoint.ts";
import { writeRandomPackedCheckpoint } from "./random-packed-checkpoint.ts";

const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? 2);
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 3);
const exported = ["gptq", "awq", "compressed-tensors", "mlx", "onnx"] as const;

/**
 * Export and import of a random 1.1 B Llama shape in gigabytes of the container's weight files a
 * second of processor time, of all threads: what one core does. The file cache is warm.
 */
const benchmark: Benchmark = {
  name: "containers",
  title: `containers of other programs, 1.1 B Llama shape at w4g64, ${layers} layers`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const source = join(folder, "source");
      // Few words: what is not packed is copied.
      const shape = { ...billionShape(layers), vocab_size: 1024 };
      const schemes = { scheme: "w4g64", headScheme: null };
      await writeRandomPackedCheckpoint(source, { shape, ...schemes, seed: 1 });
      const rows: Row[] = [];
      for (const format of exported) {
        rows.push(...(await measure(source, join(folder, format), format)));
        note(`${format} is measured`);
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

async function measure(
  source: string,
  out: string,
  format: (typeof exported)[number],
): Promise<Row[]> {
  const writing = await repeat(() => exportCheckpoint(source, { format, out, overwrite: true }));
  const gigabytes = sizeOf(out) / 1e9;
  const rows = [speedRow(`${format}: export`, gigabytes, writing)];
  // ONNX is written only.
  if (format === "onnx") return rows;
  return [...rows, speedRow(`${format}: import`, gigabytes, await repeat(() => readAll(out)))];
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
