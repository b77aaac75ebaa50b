/**
 * Quantizes a model by other programs and by fewbit, on the same tokens and to the same schemes,
 * and measures all of them the same way: perplexity, divergence from the original, time, memory.
 * Takes hours; what is done is kept in --out and not done again.
 *
 *   npm run peers -- --model ./smollm2 --calibration train.txt
 *   npm run peers -- --model ./smollm2 --calibration train.txt --schemes w2g64 --only hqq,fewbit
 *
 * Each peer needs a Python of its own: see tools/peers/README.md.
 */
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { chooseMakers } from "./peers/maker.ts";
import { Original } from "./peers/measure.ts";
import { type Plan, Session } from "./peers/session.ts";

const texts = [
  "../shared/data/text/wikitext-2/wiki.test.raw",
  "../shared/data/text/prose/test.txt",
];
const word = (value: string): { type: "string"; default: string } => ({
  type: "string",
  default: value,
});
const { values } = parseArgs({
  options: {
    model: { type: "string" },
    calibration: { type: "string" },
    samples: word("128"),
    window: word("512"),
    schemes: word("w4g64,w3g64,w2g64"),
    only: word(""),
    text: { type: "string", multiple: true, default: texts },
    "max-windows": word("10"),
    pythons: word(process.env["FEWBIT_PEERS"] ?? ".fewbit/peers/pythons"),
    threads: word("2"),
    minutes: word("60"),
    "memory-gb": word("16"),
    out: word(".fewbit/peers"),
    keep: { type: "boolean", default: false },
    "retry-failed": { type: "boolean", default: false },
  },
});
const { model, calibration } = values;
if (model === undefined || calibration === undefined) {
  throw new Error("expected --model DIR and --calibration FILE");
}
const list = (names: string): string[] => names.split(",").filter((name) => name !== "");
const threads = Number(values.threads);
const plan: Plan = {
  model: resolve(model),
  calibration: resolve(calibration),
  samples: Number(values.samples),
  window: Number(values.window),
  schemes: list(values.schemes),
  texts: {
    texts: values.text.map((path) => resolve(path)),
    maxWindows: Number(values["max-windows"]),
    threads,
  },
  limits: {
    pythons: resolve(values.pythons),
    threads,
    minutes: Number(values.minutes),
    memoryGigabytes: Number(values["memory-gb"]),
  },
  out: resolve(values.out),
  keep: values.keep,
  retryFailed: values["retry-failed"],
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));
const chosen = chooseMakers(list(values.only));
mkdirSync(plan.out, { recursive: true });
const session = new Session(plan, await Original.open(plan.model, plan.texts, plan.out));
console.log(await session.work(chosen, (line) => console.error(line)));
process.exit(0);
