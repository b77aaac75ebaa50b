import type { Command } from "commander";
import { DownloadDisplay } from "../download-display.ts";
import {
  formatInspection,
  formatMetadata,
  formatModules,
  formatTensors,
  readAllocation,
} from "../../report/inspection.ts";
import { formatAllocation } from "../../report/allocation-table.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import { addVerbosityOptions, modelArgument, type VerbosityOptions } from "../options.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions {
  readonly tensors?: boolean;
  readonly layers?: boolean;
  readonly metadata?: boolean;
}

const example = `
  fewbit inspect ./llama-w4 --tensors
`;

/** Defines `fewbit inspect`. */
export function defineInspect(command: Command, io: Io): void {
  command
    .description("Shows what a checkpoint is: architecture, schemes, sizes and bits a weight.")
    .usage("MODEL [options]")
    .argument("<model>", modelArgument)
    .addHelpText("before", example)
    .optionsGroup("What to show:")
    .option("--layers", "list the linear layers with their schemes")
    .option("--tensors", "list all tensors as they are stored")
    .option("--metadata", "list the metadata of a GGUF file");
  addVerbosityOptions(command);
  command.action((model: string, options: Options) => runInspect(model, options, io));
}

async function runInspect(model: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  const { inspect } = await import("../../index.ts");
  const inspection = await interruptible(terminal, whenStopped, (signal) =>
    inspect(model, {
      signal,
      onNotice: (message) => terminal.notice(message),
      onDownload: new DownloadDisplay(terminal).handle,
    }),
  );
  const layout = terminal.resultLayout;
  terminal.results(["", ...formatInspection(inspection, layout)]);
  if (options.layers) terminal.results(["", ...formatModules(inspection, layout)]);
  const allocation = options.layers ? readAllocation(inspection.record) : null;
  if (allocation) terminal.results(["", ...formatAllocation(allocation, layout)]);
  if (options.metadata) terminal.results(["", ...formatMetadata(inspection, layout)]);
  if (options.tensors) terminal.results(["", ...formatTensors(inspection, layout)]);
  terminal.results([""]);
  terminal.json(inspection);
}

const whenStopped = {
  message: "what was downloaded is kept",
  hint: "run the same command again to resume",
};
