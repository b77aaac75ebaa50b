/**
 * The side of fewbit of `npm run peers`: quantizes in a process of its own and writes `made.json`,
 * as the scripts of the peers do. Its time is that of the whole run, with reading and writing.
 *
 *   node run-fewbit.ts --model DIR --scheme w4g64 --settings '{"method":"rtn"}' --out DIR
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type QuantizeOptions, quantize } from "../../src/index.ts";
import { memoryPeak } from "../../src/platform/node.ts";
import { recipeSchema } from "../../src/recipe/recipe.ts";
import { UsageError } from "../../src/util/errors.ts";
import { sum } from "../../src/util/sums.ts";
import type { Made } from "./outcome.ts";

const text = { type: "string", default: "" } as const;
const { values } = parseArgs({
  options: {
    model: text,
    scheme: text,
    settings: text,
    out: text,
    threads: text,
    // Told to every script: fewbit reads the text itself, and keeps no limit of its own.
    windows: text,
    "memory-gb": text,
  },
});
const settings = JSON.parse(values.settings) as QuantizeOptions;
const known = [...Object.keys(recipeSchema.shape), "preset", "samples", "window"];
const unknown = Object.keys(settings).filter((name) => !known.includes(name));
if (unknown.length > 0) throw new UsageError(`a recipe has no field ${unknown.join(", ")}`);
const { model, scheme, out } = values;
const threads = Number(values.threads);
// Peers keep embedding and head. A run that was stopped would be measured in part only.
const kept = { embedding: "f16", head: "f16" };
const run = quantize(model, { ...kept, ...settings, scheme, out, threads, resume: "restart" });
const notes: string[] = [];
for await (const event of run.events) if (event.type === "notice") notes.push(event.message);
const { record } = await run;
const { user, system } = process.cpuUsage();
const made: Made = {
  seconds: record.elapsedMs / 1000,
  cpuSeconds: (user + system) / 1e6,
  peakBytes: memoryPeak().peakMemoryBytes,
  weights: sum(record.linears.map(({ weights }) => weights)),
  bitsPerWeight: record.bitsPerWeight.linear,
  versions: { fewbit: record.fewbit },
  notes: notes.slice(0, 3),
};
writeFileSync(join(out, "made.json"), JSON.stringify(made));
