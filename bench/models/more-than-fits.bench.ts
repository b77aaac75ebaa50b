import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { QuantizeOptions } from "../../src/index.ts";
import { type Benchmark, goal, type Row } from "../harness.ts";
import { measureQuantize, type QuantizeFigures } from "./measure-quantize.ts";
import {
  billionShape,
  randomLetters,
  sevenBillionShape,
  writeRandomCheckpoint,
} from "./random-checkpoint.ts";

const blocks = Number(process.env["FEWBIT_BENCH_BLOCKS"] ?? 4);
const samples = Number(process.env["FEWBIT_BENCH_SAMPLES"] ?? 8);
const window = 512;

/** A model, what is done to it, and the resident memory that this may take, in GB. */
interface Model {
  readonly name: string;
  readonly shape: Record<string, unknown>;
  readonly runs: readonly Run[];
}

interface Run {
  readonly method: "rtn" | "gptq";
  readonly scheme: string;
  readonly most: number;
}

function bothMethods(most: number): readonly Run[] {
  return (["rtn", "gptq"] as const).map((method) => ({ method, scheme: "w4g64", most }));
}

const models: readonly Model[] = [
  {
    name: "1.1 B",
    shape: billionShape(22),
    runs: [{ method: "gptq", scheme: "w2g64", most: 1.5 }],
  },
  { name: "7 B", shape: sevenBillionShape(32_000), runs: bothMethods(3) },
  { name: "7 B, 256,000 tokens", shape: sevenBillionShape(256_000), runs: bothMethods(4) },
];

/**
 * Memory of quantizing models that are larger than it, and whether the last block takes as long as
 * the first. The checkpoints have random weights in bfloat16; the weight files have their full size
 * (7 B: 13.5 GB), and hold embedding, head and the blocks that are run, FEWBIT_BENCH_BLOCKS (4). The
 * rest of them is holes, and the run, a process of its own, is stopped behind the last of these
 * blocks: what it does until then is what a run of all blocks does. GPTQ has FEWBIT_BENCH_SAMPLES (8)
 * windows of 512 tokens.
 */
const benchmark: Benchmark = {
  name: "more-than-fits",
  title: `Memory of quantizing 1.1 B and 7 B Llama shapes, ${blocks} blocks of each`,
  run: async (note) => {
    const rows: Row[] = [];
    for (const { name, shape, runs } of models) {
      const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
      try {
        const model = join(folder, "model");
        await writeRandomCheckpoint(model, shape, blocks);
        note(`${name}: the checkpoint is written`);
        for (const run of runs) {
          const figures = await measureQuantize(model, optionsOf(run, folder), blocks);
          rows.push(...rowsOf(`${name}, ${run.method} ${run.scheme}`, run.most, figures));
          note(`${name}, ${run.method}: ${figures.whole.processorSeconds.toFixed(0)} s`);
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
    return rows;
  },
};
export default benchmark;

function optionsOf({ method, scheme }: Run, folder: string): QuantizeOptions {
  const out = join(folder, `out-${method}`);
  if (method === "rtn") return { method, scheme, out };
  const calibration = join(folder, "text.txt");
  writeFileSync(calibration, randomLetters(2 * samples * window));
  return { method, scheme, out, calibration, samples, window };
}

function rowsOf(what: string, most: number, figures: QuantizeFigures): Row[] {
  const { peakResidentBytes, peakAnonymousBytes, plannedBytes, blocks: costs } = figures;
  const resident = peakResidentBytes / 1e9;
  const planned = plannedBytes / peakResidentBytes;
  const times = costs.map(({ processorSeconds }) => processorSeconds);
  const growth = (times.at(-1) ?? 0) / times[0];
  return [
    {
      what: `${what}: peak resident memory`,
      value: resident,
      unit: "GB",
      goal: goal(resident, most, "GB", true),
    },
    { what: `${what}: of it no file's`, value: peakAnonymousBytes / 1e9, unit: "GB" },
    {
      what: `${what}: memory that the plan names`,
      value: planned,
      unit: "×",
      goal: { text: "1 to 1.3 ×", met: planned >= 1 && planned <= 1.3 },
    },
    {
      what: `${what}: processor time of the last block over the first`,
      value: growth,
      unit: "×",
      goal: goal(growth, 1.1, "×", true),
    },
    {
      what: `${what}: processor time of a block`,
      value: times.reduce((sum, time) => sum + time, 0) / times.length,
      unit: "s",
      spread: [Math.min(...times), Math.max(...times)],
    },
  ];
}
