import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadCalibration } from "../../src/calibration/dataset.ts";
import { openModelFiles } from "../../src/runtime/open-checkpoint.ts";
import { loadTokenizer } from "../../src/tokenizers/load-tokenizer.ts";
import { type Benchmark, goal, rateRow, type Row, timingOf } from "../harness.ts";
import { type LineProcess, openLineProcess } from "../line-process.ts";
import { writeFewBlocks } from "./few-blocks-checkpoint.ts";
import { cases, type MethodCase, productShape, window, windows } from "./method-cases.ts";
import type { MethodTime, ProductTime, Timed } from "./methods-side.ts";

const model = resolve(process.env["FEWBIT_BENCH_MODEL"] ?? ".fewbit/smollm2/model");
const text = resolve(process.env["FEWBIT_BENCH_TEXT"] ?? "../shared/data/text/prose/train.txt");
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 2);
const only = process.env["FEWBIT_BENCH_METHODS"]?.split(",");
const goalRatio = 1.5;
/** What is left of a run without that around it has to be so much of it, or nothing is taken off. */
const leastShare = 0.1;

/**
 * Each method on a model of one block (the first of FEWBIT_BENCH_MODEL), float32, one thread, in
 * processor time, against what the authors' arithmetic takes in PyTorch for as many steps and
 * tokens. Of `quantize` the time of a run around the method is taken off: RTN without text (reading,
 * rounding, writing) and reading the text, or a training of one step. Needs a Python with torch, transformers and scikit-learn: FEWBIT_PYTHON, or
 * python3.
 */
const benchmark: Benchmark = {
  name: "methods",
  title: `methods on one block, ${windows} windows of ${window} tokens, one thread`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-methods-"));
    try {
      return await compare(folder, note);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

async function compare(folder: string, note: (line: string) => void): Promise<Row[]> {
  const checkpoint = join(folder, "model");
  await writeFewBlocks(model, checkpoint, 1);
  const ids = join(folder, "windows.json");
  writeFileSync(ids, JSON.stringify(await calibrationIds(checkpoint)));
  const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const out = join(folder, "quantized");
  const ours = await openLineProcess(process.execPath, [file("methods-side.ts"), checkpoint, out]);
  if (!ours) throw new Error("the native backend does not run");
  const python = process.env["FEWBIT_PYTHON"] ?? "python3";
  const theirs = await openLineProcess(python, [file("methods_yardstick.py"), checkpoint, ids]);
  if (!theirs) note(`no yardstick: ${python} cannot run transformers (set FEWBIT_PYTHON)`);
  const rows = await compareProducts({ ours, theirs });
  for (const one of cases) {
    if (only && !only.includes(one.yardstick.method)) continue;
    const found = await time(one, { ours, theirs });
    rows.push(...found);
    note(
      `${one.name}: ${found.map(({ value, unit }) => `${value.toFixed(2)} ${unit}`).join(", ")}`,
    );
  }
  return rows;
}

interface Sides {
  readonly ours: LineProcess;
  readonly theirs: LineProcess | null;
}

/** How fast each side multiplies: what bounds a ratio where products take most of the time. */
async function compareProducts({ ours, theirs }: Sides): Promise<Row[]> {
  const { rows, columns, inner, times } = productShape;
  const giga = (2 * rows * columns * inner * times) / 1e9;
  const found = new Map<string, number[]>([["fewbit", []]]);
  if (theirs) found.set("PyTorch", []);
  const products = JSON.stringify({ method: "products", ...productShape });
  for (let round = 0; round <= rounds; round++) {
    const mine = await ours.ask<ProductTime>(JSON.stringify("products"));
    const other = await theirs?.ask<ProductTime>(products);
    // The first makes memory and caches warm.
    if (round === 0) continue;
    found.get("fewbit")?.push(mine.seconds);
    if (other) found.get("PyTorch")?.push(other.seconds);
  }
  return [...found].map(([who, runs]) =>
    rateRow(`float32 products: ${who}`, giga, timingOf(runs), "GFLOP/s"),
  );
}

async function time(one: MethodCase, { ours, theirs }: Sides): Promise<Row[]> {
  const mine: MethodTime[] = [];
  const others: number[] = [];
  const data = { calibration: text, samples: windows, window };
  const withData = (options: MethodCase["options"]): MethodCase["options"] =>
    one.usesText === false ? options : { ...options, ...data };
  const asked: Timed = {
    options: withData(one.options),
    around: one.around ? withData(one.around) : null,
  };
  const request = JSON.stringify(asked);
  for (let round = 0; round < rounds; round++) {
    const answer = await ours.ask<MethodTime>(request);
    const other = await theirs?.ask<{ seconds: number }>(JSON.stringify(one.yardstick));
    mine.push(answer);
    if (other) others.push(other.seconds);
  }
  const whole = mine.map(({ seconds }) => seconds);
  const less = mine.map(({ seconds, around }) => seconds - around);
  const isTold = timingOf(less).median >= leastShare * timingOf(whole).median;
  const own = isTold ? less : whole;
  const share = mine.map(({ products }, i) => (100 * products) / own[i]);
  const rows = [
    secondsRow(`${one.name}: fewbit${isTold ? "" : ", reading and writing included"}`, own),
    { what: `${one.name}: fewbit in products`, value: timingOf(share).median, unit: "%" },
  ];
  if (!theirs) return rows;
  const ratio = timingOf(others).median / timingOf(own).median;
  return [
    secondsRow(`${one.name}: PyTorch`, others),
    ...rows,
    {
      what: `${one.name}: PyTorch over fewbit`,
      value: ratio,
      unit: "×",
      goal: goal(ratio, goalRatio, "×"),
    },
  ];
}

async function calibrationIds(checkpoint: string): Promise<number[][]> {
  const tokenizer = await loadTokenizer(await openModelFiles(checkpoint));
  const { windows: found } = await loadCalibration([{ path: text }], tokenizer, {
    samples: windows,
    window,
  });
  return found.map((ids) => [...ids]);
}

function secondsRow(what: string, runs: readonly number[]): Row {
  const { median, least, most } = timingOf(runs);
  return { what, value: median, unit: "s", spread: [least, most] };
}
