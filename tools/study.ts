/**
 * Compares trained methods with each other, with rounding, and with the float model that was
 * trained as long: the tables of `docs/trained-methods.md`. Takes from minutes to an hour; what is
 * measured already is not done again.
 *
 *   npm run study -- builtin              or babyllama, prose-6m
 *   npm run study -- builtin w2           only variants whose names contain "w2"
 */
import { existsSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeTrainingText } from "../builtin/write-texts.ts";
import { exitCodeOf, formatError } from "../src/cli/errors.ts";
import { processIo } from "../src/cli/io.ts";
import { Terminal } from "../src/cli/terminal.ts";
import { formatDuration, formatNumber } from "../src/report/format.ts";
import { UsageError } from "../src/util/errors.ts";
import { type Result, StudyRun } from "./study/measure.ts";
import { builtinTraining, type Study, studies, variantsOf } from "./study/studies.ts";

async function main(terminal: Terminal, words: readonly string[]): Promise<void> {
  const [name = "", part = ""] = words;
  const study = studies[name];
  if (!study) {
    throw new UsageError(`expected the name of a study, got "${name}"`, {
      hint: `npm run study -- ${Object.keys(studies).join(" | ")}`,
    });
  }
  const folder = join(".fewbit", "study", name);
  mkdirSync(folder, { recursive: true });
  if (study.training === builtinTraining && !existsSync(builtinTraining)) {
    writeTrainingText(builtinTraining, "full", 12);
  }
  const run = new StudyRun(study, folder);
  const rows: Result[] = [];
  const add = (row: Result): void => {
    rows.push(row);
    terminal.notes([`  ${row.variant}: perplexity ${formatNumber(row.perplexities[0].value, 4)}`]);
  };
  add(await run.original());
  add(await run.fineTuned());
  for (const variant of variantsOf(study)) {
    if (variant.name.includes(part)) add(await run.quantized(variant));
  }
  terminal.results(tableOf(study, rows));
}

/** The results as a Markdown table. */
function tableOf({ tests }: Study, rows: readonly Result[]): string[] {
  const percent = (share: number | null): string =>
    share === null ? "–" : `${(100 * share).toFixed(1)} %`;
  return [
    `| variant | bits/weight | size |${tests.map((text) => ` ${basename(text, ".txt")} |`).join("")} KL | accuracy | above chance | made in |`,
    `|---|---|---|${"---|".repeat(tests.length)}---|---|---|---|`,
    ...rows.map((row) => {
      const cells = [
        row.variant,
        row.bitsPerWeight.toFixed(2),
        `${formatNumber(row.sizeBytes / 1e6, 3)} MB`,
        ...row.perplexities.map(
          ({ value, interval }) => `${formatNumber(value, 4)} ± ${formatNumber(interval, 2)}`,
        ),
        row.klDivergence === null ? "–" : formatNumber(row.klDivergence, 3),
        percent(row.accuracy),
        percent(row.aboveChance),
        row.seconds === 0 ? "–" : formatDuration(1000 * row.seconds),
      ];
      return `| ${cells.join(" | ")} |`;
    }),
  ];
}

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const terminal = new Terminal(processIo());
try {
  await main(terminal, process.argv.slice(2));
} catch (error) {
  const debug = Boolean(process.env["FEWBIT_DEBUG"]);
  terminal.notes(formatError(error, { style: terminal.style, debug, command: undefined }));
  process.exitCode = exitCodeOf(error);
}
