import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Hessian } from "../../src/calibration/statistics/hessian.ts";
import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import { methods } from "../../src/methods/index.ts";
import { parseScheme } from "../../src/quant/scheme.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { Prng } from "../../src/util/prng.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";

const outFeatures = 5632;
const inFeatures = 2048;
const tokens = 16384;
const rounds = 3;
const goalRatio = 2;

/** Seconds of the parts of one quantization. */
type Parts = Record<"hessian" | "factor" | "columns", number>;

/**
 * GPTQ of one 2048 → 5632 layer from 16 k calibration tokens on one core, against the same
 * arithmetic in float32 PyTorch. The yardstick needs a Python with torch: FEWBIT_PYTHON, or
 * python3.
 */
const benchmark: Benchmark = {
  name: "gptq",
  title: `GPTQ of one ${inFeatures} → ${outFeatures} layer, ${tokens} tokens, w2g64, one core`,
  run: async (note) => {
    const layer = makeLayer();
    const ours: Parts[] = [];
    const searching: Parts[] = [];
    const theirs: Parts[] = [];
    await layer.quantize(false);
    for (let round = 0; round < rounds; round++) {
      ours.push(await layer.quantize(false));
      const yardstick = await runYardstick(note);
      if (yardstick) theirs.push(yardstick);
      searching.push(await layer.quantize(true));
    }
    layer.close();
    const rows = [
      ...partRows("fewbit", ours),
      ...partRows("fewbit with clipping search", searching),
    ];
    if (theirs.length === 0) return rows;
    const ratio = timingOf(theirs.map(total)).median / timingOf(ours.map(total)).median;
    return [
      ...rows,
      ...partRows("PyTorch", theirs),
      { what: "PyTorch over fewbit", value: ratio, unit: "×", goal: goal(ratio, goalRatio, "×") },
    ];
  },
};
export default benchmark;

function makeLayer(): { quantize(mse: boolean): Promise<Parts>; close(): void } {
  const backend = createNativeBackend({ threads: 1 });
  const random = new Prng(1);
  const normal = (count: number): Float32Array =>
    Float32Array.from({ length: count }, () => random.normal());
  const inputs = Tensor.from(backend, "f32", [tokens, inFeatures], normal(tokens * inFeatures));
  const weights = normal(outFeatures * inFeatures);
  const options = methods.gptq.options.parse({ mse: false });
  return {
    close: () => backend.close(),
    quantize: async (mse) => {
      const weight = Tensor.from(backend, "f32", [outFeatures, inFeatures], weights.slice());
      const started = performance.now();
      const hessian = Hessian.empty(backend, inFeatures);
      for (let first = 0; first < tokens; first += 2048)
        hessian.add(inputs.slice(first, first + 2048));
      await backend.synchronize();
      const gathered = performance.now();
      await hessian.inverseFactor(options, null);
      const factored = performance.now();
      await methods.gptq.quantizeLinear?.({
        name: "layer",
        weight,
        scheme: parseScheme("w2g64"),
        hessian,
        options: { ...options, mse },
      });
      const done = performance.now();
      hessian.release();
      return {
        hessian: (gathered - started) / 1000,
        factor: (factored - gathered) / 1000,
        columns: (done - factored) / 1000,
      };
    },
  };
}

async function runYardstick(note: (line: string) => void): Promise<Parts | null> {
  const script = fileURLToPath(new URL("gptq_yardstick.py", import.meta.url));
  const python = process.env["FEWBIT_PYTHON"] ?? "python3";
  const words = [script, outFeatures, inFeatures, tokens, 2, 64, 1].map(String);
  try {
    const { stdout } = await promisify(execFile)(python, words);
    return (JSON.parse(stdout) as { seconds: Parts }).seconds;
  } catch {
    note(`no yardstick: ${python} cannot run PyTorch (set FEWBIT_PYTHON to one that can)`);
    return null;
  }
}

function partRows(who: string, runs: readonly Parts[]): Row[] {
  const row = (what: string, seconds: readonly number[]): Row => {
    const { median, least, most } = timingOf(seconds);
    return { what: `${who}: ${what}`, value: median, unit: "s", spread: [least, most] };
  };
  return [
    row(
      "second moments",
      runs.map(({ hessian }) => hessian),
    ),
    row(
      "factor",
      runs.map(({ factor }) => factor),
    ),
    row(
      "columns, packing included",
      runs.map(({ columns }) => columns),
    ),
    row("all", runs.map(total)),
  ];
}

function total({ hessian, factor, columns }: Parts): number {
  return hessian + factor + columns;
}
