/**
 * Quantizes a model to 2 bits with two methods and compares both with the original.
 *
 *   node examples/quantize-and-compare.ts [MODEL CALIBRATION-TEXT TEST-TEXT]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { evaluate, load, quantize, type QuantizeOptions } from "../src/index.ts";

const builtin = fileURLToPath(new URL("../builtin/", import.meta.url));
const [
  path = join(builtin, "model"),
  calibration = join(builtin, "text", "calibration.txt"),
  text = join(builtin, "text", "held-out.txt"),
] = process.argv.slice(2);

const folder = await mkdtemp(join(tmpdir(), "fewbit-example-"));
const window = 256;

const choices: readonly QuantizeOptions[] = [
  { method: "rtn", scheme: "w2g64", out: join(folder, "rtn") },
  { method: "gptq", scheme: "w2g64", out: join(folder, "gptq"), calibration, samples: 64, window },
];

const original = await load(path);
try {
  for (const options of choices) {
    const run = quantize(original, options);
    for await (const event of run.events) {
      if (event.type === "block") console.error(`block ${event.block + 1} of ${event.blocks}`);
    }
    const { out, record } = await run;
    const measured = await evaluate(out, { text, window, maxWindows: 64, against: original });
    console.log(
      `${options.method}: ${record.bitsPerWeight.linear.toFixed(2)} bits a weight, ` +
        `perplexity ${measured.perplexity.toFixed(1)} ` +
        `(original ${measured.original?.perplexity.toFixed(2)}), ` +
        `KL divergence ${measured.klDivergence?.mean.toFixed(2)}`,
    );
  }
} finally {
  original.release();
  await rm(folder, { recursive: true });
}
