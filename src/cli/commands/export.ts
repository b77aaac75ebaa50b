import type { Command } from "commander";
import { DownloadDisplay } from "../download-display.ts";
import { formatBytes, printable } from "../../report/format.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addVerbosityOptions,
  choiceOption,
  defined,
  expectGiven,
  type VerbosityOptions,
  modelArgument,
} from "../options.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions {
  readonly format: "hf";
  readonly out: string;
  readonly dtype?: "f16" | "bf16" | "f32";
  readonly overwrite?: boolean;
}

const example = `
  fewbit export ./llama-w4 --format hf --out ./llama-w4-plain
`;

/** Defines `fewbit export`. */
export function defineExport(command: Command, io: Io): void {
  command
    .description("Writes a checkpoint that other programs read. hf: plain weights, dequantized.")
    .usage("MODEL --format hf --out DIR [options]")
    .argument("<model>", modelArgument)
    .addHelpText("before", example)
    .optionsGroup("What to write:")
    .addOption(choiceOption("--format", ["hf"], "hf: Hugging Face, as transformers loads it"))
    .option("--out <dir>", "directory to write")
    .addOption(choiceOption("--dtype", ["f16", "bf16", "f32"], "how weights are stored"))
    .option("--overwrite", "replace a checkpoint that is there already");
  addVerbosityOptions(command);
  command.action((model: string, options: Options) => runExport(model, options, io));
}

async function runExport(model: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  expectGiven(options, ["format", "out"], "export");
  const { exportCheckpoint } = await import("../../index.ts");
  const { format, out, dtype, overwrite } = options;
  const result = await interruptible(terminal, whenStopped, (signal) =>
    exportCheckpoint(model, {
      ...defined({ format, out, dtype, overwrite }),
      signal,
      onNotice: (message) => terminal.notice(message),
      onDownload: new DownloadDisplay(terminal).handle,
    }),
  );
  terminal.results([`  wrote ${printable(result.out)} · ${formatBytes(result.sizeBytes)}`]);
  terminal.json(result);
}

const whenStopped = {
  message: "nothing was written, and the model is as it was",
  hint: "run the same command again to start over",
};
