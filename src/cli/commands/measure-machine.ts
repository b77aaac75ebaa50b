import type { Command } from "commander";
import { formatMachineTable } from "../../report/plan/machine-text.ts";
import { printable } from "../../report/format.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addVerbosityOptions,
  defined,
  positiveInteger,
  type VerbosityOptions,
} from "../options.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions {
  readonly out?: string;
  readonly threads?: readonly number[];
  readonly quick?: boolean;
}

const example = `
  fewbit measure-machine
`;

/** Defines `fewbit measure-machine`. */
export function defineMeasureMachine(command: Command, io: Io): void {
  command
    .description(
      "Times the kernels of this machine, every scheme at several shapes, and keeps the table: " +
        "fewbit plan predicts speeds by it. Nothing else should run meanwhile.",
    )
    .usage("[options]")
    .addHelpText("before", example)
    .optionsGroup("What to measure:")
    .option("--threads <n,…>", "numbers of threads (default: the fastest, and 1)", threadCounts)
    .option("--quick", "only the usual schemes at fewer shapes: seconds, not minutes")
    .optionsGroup("What to write:")
    .option("--out <file>", "file of the table (default: in the user's cache)");
  addVerbosityOptions(command);
  command.action((options: Options) => runMeasure(options, io));
}

function threadCounts(text: string): number[] {
  return [...new Set(text.split(",").map((word) => positiveInteger(word.trim())))];
}

async function runMeasure(options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  const { measureMachine } = await import("../../index.ts");
  const { out, threads, quick } = options;
  const { path, table } = await interruptible(terminal, whenStopped, (signal) =>
    measureMachine({
      ...defined({ out, threads, quick }),
      signal,
      onProgress: (what) => terminal.details([`  ${what}`]),
    }),
  );
  terminal.results([
    "",
    ...formatMachineTable(table, terminal.resultLayout),
    "",
    `  table  ${printable(path)}`,
    "  next   fewbit plan MODEL",
    "",
  ]);
  terminal.json({ path, table });
}

const whenStopped = { message: "nothing was written", hint: "run the same command again" };
