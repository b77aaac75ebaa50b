import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "../../src/index.ts";
import { findLlamaAddon } from "../../test/llama-cpp/llama-addon.ts";
import { LlamaCpp } from "../../test/llama-cpp/llama-cpp.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import { type DecodeMeasurement, runSide } from "./decode-measurement.ts";
import type { ProductsCheck } from "./fewbit-side.ts";
import { billionShape } from "./random-checkpoint.ts";
import { type GgufTypes, ggufBytesPerToken, writeRandomLlamaGguf } from "./random-gguf.ts";

const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? 22);
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 3);
const threadCounts = [1, 2];
/** How far fast products may be from exact ones on random weights. */
const worstRelativeError = 0.2;
const decodeGoal = 1.2;

/** Files as llama-quantize mixes their types. */
const cases: readonly { readonly name: string; readonly types: GgufTypes }[] = [
  { name: "Q4_K_M", types: { weights: "Q4_K", head: "Q6_K", more: "Q6_K" } },
  { name: "Q2_K", types: { weights: "Q2_K", head: "Q6_K" } },
];

/**
 * The same GGUF files of a random 1.1 B Llama in fewbit and in llama.cpp: greedy decoding behind a
 * prompt, each measurement a process of its own, in turn; and loading, in this process, in turn.
 */
const benchmark: Benchmark = {
  name: "gguf",
  title: `GGUF files of a 1.1 B Llama shape, ${layers} layers, against llama.cpp`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const rows: Row[] = [];
      for (const { name, types } of cases) {
        const path = join(folder, `${name}.gguf`);
        await writeRandomLlamaGguf(path, billionShape(layers), types);
        const read = ggufBytesPerToken(billionShape(layers), types) / 1e6;
        rows.push({ what: `${name}: weights read for a token`, value: read, unit: "MB" });
        rows.push(await checkProducts(name, path), ...(await loadRows(name, path)));
        for (const threads of threadCounts) rows.push(...(await decodeRows(name, path, threads)));
        note(`${name} is measured`);
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

async function checkProducts(name: string, path: string): Promise<Row> {
  const { relativeError } = await runSide<ProductsCheck>("fewbit-side.ts", ["check", path]);
  if (!(relativeError < worstRelativeError)) {
    throw new Error(`${name}: fast products are off by ${relativeError}`);
  }
  const what = `${name}: logits of fast products off the exact ones`;
  return { what, value: 100 * relativeError, unit: "%" };
}

async function loadRows(name: string, path: string): Promise<Row[]> {
  const gigabytes = statSync(path).size / 1e9;
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    ours.push(await secondsOf(() => loadHere(path)));
    if (findLlamaAddon()) theirs.push(await secondsOf(() => loadThere(path)));
  }
  // The first round finds pages cold.
  const row = (side: string, seconds: readonly number[]): Row => {
    const { median, least, most } = timingOf(seconds.slice(1));
    return { what: `${name}: ${side} loads it`, value: median, unit: "s", spread: [least, most] };
  };
  const rows = [{ what: `${name}: size`, value: gigabytes, unit: "GB" }, row("fewbit", ours)];
  if (theirs.length === 0) return rows;
  const times = timingOf(ours.slice(1)).median / timingOf(theirs.slice(1)).median;
  const what = `${name}: loading over llama.cpp`;
  const compared = { what, value: times, unit: "×", goal: goal(times, 1, "×", true) };
  return [...rows, row("llama.cpp", theirs), compared];
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

async function loadHere(path: string): Promise<void> {
  const model = await load(path);
  await model.backend.synchronize();
  model.release();
}

async function loadThere(path: string): Promise<void> {
  const model = await LlamaCpp.open(path);
  await model[Symbol.asyncDispose]();
}

async function decodeRows(name: string, path: string, threads: number): Promise<Row[]> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const speed = async (script: string, words: string[]): Promise<number> => {
    const environment = { FEWBIT_THREADS: String(threads) };
    return (await runSide<DecodeMeasurement>(script, words, environment)).decodeTokensPerSecond;
  };
  for (let round = 0; round < rounds; round++) {
    ours.push(await speed("fewbit-side.ts", ["measure", path]));
    if (findLlamaAddon()) theirs.push(await speed("llama-cpp-side.ts", [path, String(threads)]));
  }
  const at = `${name}, ${threads} thread${threads > 1 ? "s" : ""}`;
  const row = (side: string, values: readonly number[]): Row => {
    const { median, least, most } = timingOf(values);
    return { what: `${at}: ${side}`, value: median, unit: "tokens/s", spread: [least, most] };
  };
  if (theirs.length === 0) return [row("fewbit", ours)];
  const ratio = timingOf(ours).median / timingOf(theirs).median;
  const what = `${at}: fewbit over llama.cpp`;
  const compared = { what, value: ratio, unit: "×", goal: goal(ratio, decodeGoal, "×") };
  return [row("fewbit", ours), row("llama.cpp", theirs), compared];
}
