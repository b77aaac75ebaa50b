import { type Command, Option } from "commander";
import { formatFailures } from "../../report/sweep/list-failures.ts";
import { formatQuery, queryCsv } from "../../report/sweep/query-table.ts";
import { makeSweepRows } from "../../report/sweep/sweep-row.ts";
import { formatSweepTable } from "../../report/sweep/sweep-table.ts";
import type { Io } from "../io.ts";
import { addVerbosityOptions, type VerbosityOptions } from "../options.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions {
  readonly sql?: string;
  readonly csv?: boolean;
}

const example = `
  fewbit results ./sweep
  fewbit results ./sweep \\
    --sql "SELECT label, perplexity FROM results WHERE bits = 2"
`;

const everything = "SELECT * FROM results";

/** Defines `fewbit results`. */
export function defineResults(command: Command, io: Io): void {
  command
    .description("Lists the results of a sweep, finished or not, or asks their database.")
    .usage("DIR [options]")
    .argument("<dir>", "folder of the sweep")
    .addHelpText("before", example)
    .optionsGroup("What to print:")
    .option("--sql <query>", "rows of a query; the view results has a row for each point")
    .addOption(new Option("--csv", "print rows as CSV on standard output").conflicts("json"));
  addVerbosityOptions(command);
  command.action((folder: string, options: Options) => runResults(folder, options, io));
}

async function runResults(folder: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  const { openResults, queryResults } = await import("../../index.ts");
  const layout = terminal.resultLayout;
  if (options.sql !== undefined || options.csv) {
    const found = await queryResults(folder, options.sql ?? everything);
    if (options.csv) io.stdout.write(queryCsv(found));
    else terminal.results(["", ...formatQuery(found, layout), ""]);
    if (!options.csv) terminal.json(found.rows);
    return;
  }
  const results = await openResults(folder);
  const failures = formatFailures(results, layout);
  terminal.results(["", ...formatSweepTable(makeSweepRows(results), layout), ""]);
  if (failures.length > 0) terminal.results([...failures, ""]);
  terminal.json(results);
}
