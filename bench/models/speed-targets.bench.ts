import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { quantize } from "../../src/index.ts";
import type { MachineTable } from "../../src/machines/machine-table.ts";
import { shapeOf } from "../../src/machines/model-shape.ts";
import { predictSpeeds } from "../../src/machines/predict-speed.ts";
import { readModelConfig } from "../../src/models/index.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import {
  type DecodeMeasurement,
  decodedTokens,
  promptTokens,
  runSide,
} from "./decode-measurement.ts";
import { byteTokenizer } from "./byte-tokenizer.ts";
import { measureTable } from "./measure-table.ts";
import { smallShape, writeRandomCheckpoint } from "./random-checkpoint.ts";

const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 3);
const choices = ["w2g64", "w3g64", "w4g64", "w8g64"];
/** Where targets lie between the speeds of the slowest and of the fastest choice for all layers. */
const shares = [0.25, 0.5, 0.75];
/** Share of a target that has to be reached by the clock: predictions are to be within 10 %. */
const within = 0.9;
const context = promptTokens + decodedTokens;

/** A context that is as long as what is decoded: targets are for whole contexts. */
const config = { ...smallShape, max_position_embeddings: context + 8 };
const vocabularySize = Number(smallShape["vocab_size"]);
const text = fileURLToPath(new URL("../../builtin/text/calibration.txt", import.meta.url));

/**
 * Quantizes the shape of SmolLM2-135M for targets of speed and lets each result decode: on one thread,
 * by the clock and by the time of the processor. The table is measured anew for each target: the
 * bandwidth of a virtual machine may change by half within minutes.
 */
const benchmark: Benchmark = {
  name: "speed-targets",
  title: "tokens a second reached over those asked for, one thread",
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const model = join(folder, "model");
      await writeRandomCheckpoint(model, config);
      // Any token may be decoded.
      writeFileSync(join(model, "tokenizer.json"), JSON.stringify(byteTokenizer(vocabularySize)));
      const rows: Row[] = [];
      for (const share of shares) {
        const table = await measureTable([...choices, "bf16"]);
        writeFileSync(join(folder, "machine.json"), JSON.stringify(table));
        const found = await reach(folder, targetBy(table, share));
        rows.push(...found);
        note(found.map(({ what, value }) => `${what} ${value.toFixed(2)}`).join("; "));
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

function targetBy(table: MachineTable, share: number): number {
  const shape = shapeOf(readModelConfig(config));
  const speeds = choices.map((linear) => {
    const storage = { linear, embedding: "bf16", head: "bf16", others: "bf16" } as const;
    return predictSpeeds(table, shape, { storage, kvCache: "f16", context }).decode;
  });
  const [slow, fast] = [Math.min(...speeds), Math.max(...speeds)];
  return Number((slow + share * (fast - slow)).toPrecision(3));
}

async function reach(folder: string, target: number): Promise<Row[]> {
  const out = join(folder, `out-${target}`);
  const { record } = await quantize(join(folder, "model"), {
    method: "rtn",
    allocation: {
      targetSpeed: target,
      machine: join(folder, "machine.json"),
      choices,
      measure: "importance",
      samples: 2,
      compareUniform: false,
      stateFile: join(folder, "state.json"),
    },
    calibration: { files: [{ path: text }], samples: 2, window: 128 },
    out,
  });
  const runs: DecodeMeasurement[] = [];
  for (let round = 0; round < rounds; round++) {
    runs.push(await runSide("fewbit-side.ts", ["measure", out], { FEWBIT_THREADS: "1" }));
  }
  rmSync(out, { recursive: true, force: true });
  const reached = timingOf(runs.map((run) => run.decodeTokensPerSecond)).median;
  const worked = timingOf(runs.map((run) => run.busyThreads / run.decodeTokensPerSecond)).median;
  const of = `${target} tokens a second`;
  const bits = record.allocation?.bitsPerWeight.toFixed(2);
  return [
    {
      what: `${of} (${bits} bits), reached over asked for`,
      value: reached / target,
      unit: "×",
      goal: goal(reached / target, within),
    },
    // The thread of JavaScript prepares the next ops meanwhile, and counts, too.
    { what: `${of}, the same in processor time`, value: 1 / worked / target, unit: "×" },
  ];
}
