import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shapeOf } from "../../src/machines/model-shape.ts";
import { decodeSeconds } from "../../src/machines/predict-speed.ts";
import { readModelConfig } from "../../src/models/index.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import {
  type DecodeMeasurement,
  decodedTokens,
  promptTokens,
  runSide,
} from "./decode-measurement.ts";
import { measureTable } from "./measure-table.ts";
import { billionShape, smallShape } from "./random-checkpoint.ts";
import { writeRandomPackedCheckpoint } from "./random-packed-checkpoint.ts";

const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 3);
const schemes = ["w2g64", "w3g64", "w4g64", "w8"];
/** How far a prediction may be from what is measured, as a share of 1. */
const within = 0.1;

const shapes = [
  { name: "135 M", config: smallShape, head: null },
  { name: "1.1 B", config: billionShape(22), head: "w4g64" },
];

/**
 * Tokens a second predicted from a table against what generation then reaches: on one thread, by the
 * clock and by the time of the processor, which others on the machine disturb less. The kernels of
 * each model are timed right before it decodes: the bandwidth of a virtual machine may change by half
 * within minutes.
 */
const benchmark: Benchmark = {
  name: "predicted",
  title: "predicted over measured time of a decoded token, one thread",
  run: async (note) => {
    const rows: Row[] = [];
    for (const { name, config, head } of shapes) {
      for (const scheme of schemes) {
        const found = await compare(config, scheme, head);
        for (const row of found) rows.push({ ...row, what: `${name} ${scheme}, ${row.what}` });
        note(`${name} ${scheme}: ${found.map(({ value }) => value.toFixed(2)).join(", ")}`);
      }
    }
    return rows;
  },
};
export default benchmark;

async function compare(
  config: Record<string, unknown>,
  scheme: string,
  headScheme: string | null,
): Promise<Row[]> {
  const head = headScheme ?? "bf16";
  const table = await measureTable([...new Set([scheme, head])]);
  const runs = await decode(config, scheme, headScheme);
  const storage = { linear: scheme, embedding: "bf16", head, others: "bf16" } as const;
  const context = promptTokens + decodedTokens / 2;
  const choice = { storage, kvCache: "f16", context } as const;
  const predicted = (take: "median" | "processor"): number =>
    decodeSeconds(table, shapeOf(readModelConfig(config)), choice, { take }).all;
  const elapsed = timingOf(runs.map((run) => 1 / run.decodeTokensPerSecond)).median;
  const worked = timingOf(runs.map((run) => run.busyThreads / run.decodeTokensPerSecond)).median;
  const ratio = predicted("processor") / worked;
  return [
    { what: "tokens a second", value: 1 / elapsed, unit: "tokens/s" },
    { what: "predicted over measured", value: predicted("median") / elapsed, unit: "×" },
    {
      what: "the same in processor time",
      value: ratio,
      unit: "×",
      goal: { ...goal(Math.abs(ratio - 1), within, "", true), text: `1 ± ${within}` },
    },
  ];
}

async function decode(
  shape: Record<string, unknown>,
  scheme: string,
  headScheme: string | null,
): Promise<DecodeMeasurement[]> {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
  try {
    await writeRandomPackedCheckpoint(folder, { shape, scheme, headScheme, seed: 1 });
    const runs: DecodeMeasurement[] = [];
    for (let round = 0; round < rounds; round++) {
      runs.push(await runSide("fewbit-side.ts", ["measure", folder], { FEWBIT_THREADS: "1" }));
    }
    return runs;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
