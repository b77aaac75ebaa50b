import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { kinds } from "./fuzz/kinds/index.ts";
import { FuzzRun } from "./fuzz/fuzz-run.ts";

/*
 * Gives changed inputs of every kind to fewbit, and holds it to three laws: an input is accepted or
 * refused with a typed error, needs no more memory than its size justifies, and takes no longer than
 * 10 s. Ends with 1 when one was broken.
 *
 *   npm run fuzz -- [--minutes 60] [--seed 1] [--only KIND,KIND] [--cases N]
 */

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    seed: { type: "string" },
    only: { type: "string" },
    cases: { type: "string" },
  },
});

const known = kinds.map(({ id }) => id);
const chosen = values.only?.split(",") ?? known;
const unknown = chosen.find((id) => !known.includes(id));
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const minutes = Number(values.minutes);
if (unknown !== undefined || !Number.isSafeInteger(seed) || !(minutes > 0)) {
  console.error(`usage: npm run fuzz -- [--minutes M] [--seed S] [--only KIND,…] [--cases N]`);
  console.error(`kinds: ${known.join(", ")}`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "fewbit-fuzz-"));
try {
  const run = new FuzzRun(folder, chosen, seed);
  process.on("SIGINT", () => run.stop());
  process.on("SIGTERM", () => run.stop());
  console.log(`seed ${seed}`);
  const broken = await run.work(
    values.cases === undefined ? { minutes } : { cases: Number(values.cases) },
  );
  for (const line of run.table()) console.log(line);
  process.exitCode = broken === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
