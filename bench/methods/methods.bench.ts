import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadCalibration } from "../../src/calibration/dataset.ts";
import { openModelFiles } from "../../src/runtime/open-checkpoint.ts";
import { loadTokenizer } from "../../src/tokenizers/load-tokenizer.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import { type LineProcess, openLineProcess } from "../line-process.ts";
import { cases, type MethodCase, window, windows } from "./method-cases.ts";
import { writeOneBlock } from "./one-block-checkpoint.ts";

const model = resolve(process.env["FEWBIT_BENCH_MODEL"] ?? ".fewbit/smollm2/model");
const text = resolve(process.env["FEWBIT_BENCH_TEXT"] ?? "../shared/data/text/prose/train.txt");
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 3);
const only = process.env["FEWBIT_BENCH_METHODS"]?.split(",");
const goalRatio = 1.5;

/**
 * Each method on a model of one block (the first of FEWBIT_BENCH_MODEL), one thread, in processor
 * time: the whole of `quantize`, reading and writing included, against what the authors' arithmetic
 * takes in PyTorch for as many steps. Needs a Python with torch, transformers and scikit-learn:
 * FEWBIT_PYTHON, or python3.
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
  await writeOneBlock(model, checkpoint);
  const ids = join(folder, "windows.json");
  writeFileSync(ids, JSON.stringify(await calibrationIds(checkpoint)));
  const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const out = join(folder, "quantized");
  const ours = await openLineProcess(process.execPath, [file("methods-side.ts"), checkpoint, out]);
  if (!ours) throw new Error("the native backend does not run");
  const python = process.env["FEWBIT_PYTHON"] ?? "python3";
  const theirs = await openLineProcess(python, [file("methods_yardstick.py"), checkpoint, ids]);
  if (!theirs) note(`no yardstick: ${python} cannot run transformers (set FEWBIT_PYTHON)`);
  const rows: Row[] = [];
  for (const one of cases) {
    if (only && !only.includes(one.yardstick.method)) continue;
    rows.push(...(await time(one, ours, theirs)));
    note(
      rows
        .slice(-1)
        .map(({ what, value }) => `${what}: ${value.toFixed(2)}`)
        .join(),
    );
  }
  return rows;
}

/** One round more than counts: the first makes memory and caches warm. */
async function time(
  one: MethodCase,
  ours: LineProcess,
  theirs: LineProcess | null,
): Promise<Row[]> {
  const mine: number[] = [];
  const others: number[] = [];
  const request = JSON.stringify({ ...one.options, calibration: text, samples: windows, window });
  for (let round = 0; round <= rounds; round++) {
    const { seconds } = await ours.ask<{ seconds: number }>(request);
    const other = await theirs?.ask<{ seconds: number }>(JSON.stringify(one.yardstick));
    if (round === 0) continue;
    mine.push(seconds);
    if (other) others.push(other.seconds);
  }
  const rows = [secondsRow(`${one.name}: fewbit`, mine)];
  if (!theirs) return rows;
  const ratio = timingOf(others).median / timingOf(mine).median;
  return [
    ...rows,
    secondsRow(`${one.name}: PyTorch`, others),
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
