import type { Command } from "commander";
import { formatPlannedPoints, formatSweepPlan } from "../../report/sweep/sweep-plan.ts";
import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import { formatPlural } from "../../report/format.ts";
import { formatFailures } from "../../report/sweep/list-failures.ts";
import { formatSamples } from "../../report/sweep/sweep-samples.ts";
import { makeSweepRows } from "../../report/sweep/sweep-row.ts";
import { formatSweepTable } from "../../report/sweep/sweep-table.ts";
import { formatCommand } from "../../util/shell-command.ts";
import { FewbitError, UsageError } from "../../util/errors.ts";
import { DownloadDisplay } from "../download-display.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  type ComputeOptions,
  defined,
  type VerbosityOptions,
} from "../options.ts";
import { SweepProgress } from "../sweep-progress.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions, ComputeOptions {
  readonly out?: string;
  readonly plan?: boolean;
  readonly schema?: boolean;
  readonly retryFailed?: boolean;
  readonly results?: string;
}

const example = `
  fewbit sweep sweep.yaml --plan
  fewbit sweep sweep.yaml --out ./sweep
`;

/** Defines `fewbit sweep`. */
export function defineSweep(command: Command, io: Io): void {
  command
    .description(
      "Makes and measures every point of a recipe. Run it again to resume, or twice at once to " +
        "share the work.",
    )
    .usage("RECIPE [--out DIR] [options]")
    .argument("[recipe]", "YAML or JSON file, see docs/sweeps.md")
    .addHelpText("before", example)
    .optionsGroup("What to do:")
    .option("--out <dir>", "folder of the results (default: the recipe's name without its ending)")
    .option("--plan", "only say what would happen, and what it needs")
    .option("--retry-failed", "try points again that failed before")
    .option("--results <path>", "take over what is done there: a folder or a results.json")
    .option("--schema", "print the JSON schema of recipes, for editors");
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((recipe: string | undefined, options: Options) => runSweep(recipe, options, io));
}

async function runSweep(recipe: string | undefined, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  if (options.schema) {
    const { sweepJsonSchema } = await import("../../index.ts");
    io.stdout.write(`${JSON.stringify(sweepJsonSchema(), null, 2)}\n`);
    return;
  }
  if (recipe === undefined) {
    throw new UsageError("no recipe was given", { hint: "fewbit sweep -h begins with an example" });
  }
  const { planSweep, sweep } = await import("../../index.ts");
  const { threads, backend, retryFailed, results: earlier } = options;
  const out = options.out ?? folderOf(recipe);
  const request = { out, ...defined({ threads, backend, retryFailed, earlier }) };
  if (options.plan) {
    const plan = await planSweep(recipe, {
      ...request,
      onNotice: (message) => terminal.notice(message),
      onDownload: new DownloadDisplay(terminal).handle,
    });
    terminal.results(["", ...formatSweepPlan(plan, terminal.resultLayout), ""]);
    terminal.results([...formatPlannedPoints(plan, terminal.resultLayout), ""]);
    terminal.json(plan);
    return;
  }
  const progress = new SweepProgress(terminal);
  const { record: results } = await interruptible(
    terminal,
    () => progress.whenStopped,
    async (signal) => {
      const run = sweep(recipe, { ...request, signal });
      for await (const event of run.events) progress.handle(event);
      return run;
    },
  );
  const layout = terminal.resultLayout;
  const rows = makeSweepRows(results);
  const failures = formatFailures(results, layout);
  terminal.notes([""]);
  terminal.results([...formatSweepTable(rows, layout), ...formatSamples(rows, layout.width)]);
  if (failures.length > 0) terminal.results(["", ...failures]);
  terminal.notes(["", `  next  ${formatCommand(["fewbit", "results", out])}`, ""]);
  terminal.json(results);
  expectNoFailure(results, recipe, options);
}

/** A script must notice that points failed. @throws FewbitError (code `POINTS`) */
function expectNoFailure({ points }: SweepResults, recipe: string, { out }: Options): void {
  const failed = points.filter(({ status }) => status === "failed").length;
  if (failed === 0) return;
  const again = ["fewbit", "sweep", recipe, ...(out ? ["--out", out] : []), "--retry-failed"];
  throw new FewbitError("POINTS", `${failed} of ${formatPlural(points.length, "point")} failed`, {
    hint: `their records say why; ${formatCommand(again)} tries them again`,
  });
}

/** The recipe's path without its ending. */
function folderOf(recipe: string): string {
  const folder = recipe.replace(/\.(ya?ml|json)$/i, "");
  return folder === recipe ? `${recipe}.sweep` : folder;
}
