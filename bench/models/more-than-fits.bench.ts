import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { QuantizeOptions } from "../../src/index.ts";
import { formatCount } from "../../src/report/format.ts";
import { type Benchmark, goal, type Row } from "../harness.ts";
import { measureQuantize, type QuantizeFigures } from "./measure-quantize.ts";
import { randomLetters, sevenBillionShape, writeRandomCheckpoint } from "./random-checkpoint.ts";

const blocks = Number(process.env["FEWBIT_BENCH_BLOCKS"] ?? 4);
const samples = Number(process.env["FEWBIT_BENCH_SAMPLES"] ?? 4);
const window = 512;
const scheme = "w4g64";

/** A model, and the resident memory that quantizing it may take, in GB. */
interface Model {
  readonly vocabulary: number;
  readonly most: number;
  /** Blocks that are run. */
  readonly blocks: number;
}

const models: readonly Model[] = [
  { vocabulary: 32_000, most: 3, blocks },
  // What differs is in front of the blocks.
  { vocabulary: 256_000, most: 4, blocks: Math.ceil(blocks / 2) },
];

/**
 * Memory of quantizing a model that is larger than it: the 7 B Llama shape, by RTN and GPTQ; and whether
 * the last block takes as long as the first. The checkpoints have random weights in bfloat16. Their
 * weight files have the full size (13.5 GB with 32,000 tokens) and hold embedding, head and the blocks
 * that are run, FEWBIT_BENCH_BLOCKS (4), of the larger vocabulary half as many; the rest of them is
 * holes, and the run, a process of its own, is stopped behind the last of these blocks: until then it
 * does what a run of all blocks does. Linear layers are quantized, embedding and head stay as they are.
 * GPTQ has FEWBIT_BENCH_SAMPLES (4) windows of 512 tokens: 2048 are what a pass takes at once. Pages of
 * mapped files count as resident.
 */
const benchmark: Benchmark = {
  name: "more-than-fits",
  title: `Memory of quantizing the 7 B Llama shape, ${blocks} of 32 blocks`,
  run: async (note) => {
    const rows: Row[] = [];
    for (const each of models) {
      const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
      try {
        const model = join(folder, "model");
        await writeRandomCheckpoint(model, sevenBillionShape(each.vocabulary), each.blocks);
        note(`${formatCount(each.vocabulary)} tokens: the checkpoint is written`);
        for (const method of ["rtn", "gptq"] as const) {
          const figures = await measureQuantize(model, optionsOf(method, folder), each.blocks);
          const what = `${formatCount(each.vocabulary)} tokens, ${method}`;
          rows.push(...rowsOf(what, each.most, figures));
          note(`${what}: ${figures.whole.seconds.toFixed(0)} s by the clock`);
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
    return rows;
  },
};
export default benchmark;

function optionsOf(method: "rtn" | "gptq", folder: string): QuantizeOptions {
  const out = join(folder, `out-${method}`);
  const options = { method, scheme, out, embedding: "f16", head: "f16" } as const;
  if (method === "rtn") return options;
  const calibration = join(folder, "text.txt");
  writeFileSync(calibration, randomLetters(2 * samples * window));
  return { ...options, calibration, samples, window };
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
