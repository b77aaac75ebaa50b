import type { Command } from "commander";
import { printable } from "../../report/format.ts";
import { wrapText } from "../../report/wrap-text.ts";
import type { Io } from "../io.ts";
import { addVerbosityOptions, defined, type VerbosityOptions } from "../options.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions {
  readonly out?: string;
  readonly title?: string;
}

const example = `
  fewbit report ./sweep --out ./docs/sweep --title "Sizes and bits"
`;

/** Defines `fewbit report`. */
export function defineReport(command: Command, io: Io): void {
  command
    .description(
      "Writes what a sweep found: one page of HTML with charts and tables that needs nothing " +
        "else, each chart as SVG, and the figures as CSV, Markdown and JSON.",
    )
    .usage("SWEEP [options]")
    .argument("<sweep>", "folder of a sweep, or the results.json of an earlier report")
    .addHelpText("before", example)
    .optionsGroup("What to write:")
    .option("--out <dir>", "folder of the files (default: report in the sweep's folder)")
    .option("--title <text>", "headline (default: the name of the sweep)");
  addVerbosityOptions(command);
  command.action((source: string, options: Options) => runReport(source, options, io));
}

async function runReport(source: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  const { report } = await import("../../index.ts");
  const { out, title } = options;
  const written = await report(source, defined({ out, title }));
  const { width } = terminal.resultLayout;
  const findings = written.findings
    .slice(0, 3)
    .flatMap(({ text }) => [...wrapText(printable(text), width), ""]);
  terminal.results([
    "",
    ...findings,
    `  page  ${printable(written.page)}`,
    `  and   ${written.files.length - 1} files beside it: charts, CSV, Markdown, JSON`,
    "",
  ]);
  terminal.json(written);
}
