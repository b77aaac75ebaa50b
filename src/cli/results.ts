import type { Command } from "commander";
import { formatFailures } from "../report/sweep/list-failures.ts";
import { makeSweepRows } from "../report/sweep/sweep-row.ts";
import { formatSweepTable } from "../report/sweep/sweep-table.ts";
import type { Io } from "./io.ts";
import { addVoiceOptions, type VoiceOptions } from "./options.ts";
import { Terminal } from "./terminal.ts";

const example = `
  fewbit results ./sweep
`;

/** Defines `fewbit results`. */
export function defineResults(command: Command, io: Io): void {
  command
    .description("Lists the results of a sweep, finished or not.")
    .usage("DIR [options]")
    .argument("<dir>", "folder of the sweep")
    .addHelpText("before", example);
  addVoiceOptions(command);
  command.action((folder: string, options: VoiceOptions) => runResults(folder, options, io));
}

async function runResults(folder: string, options: VoiceOptions, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  const { openResults } = await import("../index.ts");
  const results = await openResults(folder);
  const layout = terminal.resultLayout;
  terminal.results(["", ...formatSweepTable(makeSweepRows(results), layout)]);
  terminal.results([...formatFailures(results, layout), ""]);
  terminal.json(results);
}
