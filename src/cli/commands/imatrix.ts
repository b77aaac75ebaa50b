import { type Command, Option } from "commander";
import type { RecipeInput } from "../../recipe/recipe.ts";
import { calibrationFields } from "../../recipe/recipe.ts";
import { formatCount, formatPlural, printable } from "../../report/format.ts";
import { DownloadDisplay } from "../download-display.ts";
import { addFieldOptions, readFields } from "../field-options.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  type ComputeOptions,
  defined,
  expectGiven,
  modelArgument,
  type VerbosityOptions,
} from "../options.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions, ComputeOptions {
  readonly out: string;
  readonly overwrite?: boolean;
}

const example = `
  fewbit imatrix ./llama --calibration text.txt --out llama.imatrix.gguf
  fewbit quantize ./llama --method rtn --scheme Q4_K_M \\
    --imatrix llama.imatrix.gguf --out ./llama-q4
`;

/** Defines `fewbit imatrix`. */
export function defineImatrix(command: Command, io: Io): void {
  command
    .description(
      "Measures how important each column of each linear layer is, in llama.cpp's format.",
    )
    .usage("MODEL --calibration FILE --out FILE [options]")
    .argument("<model>", modelArgument)
    .addHelpText("before", example)
    .optionsGroup("What to write:")
    .addOption(new Option("--out <file>", "file to write, such as model.imatrix.gguf"))
    .addOption(new Option("--overwrite", "replace a file that is there already"));
  addFieldOptions(command, calibrationFields, {});
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((model: string, options: Options) =>
    runImatrix(model, readFields(command), options, io),
  );
}

async function runImatrix(
  model: string,
  { calibration }: Pick<RecipeInput, "calibration">,
  options: Options,
  io: Io,
): Promise<void> {
  const terminal = new Terminal(io, options);
  const { out, overwrite, backend, threads } = options;
  expectGiven({ out, calibration }, ["calibration", "out"], "imatrix");
  const { makeImatrix } = await import("../../index.ts");
  const result = await interruptible(
    terminal,
    () => whenStopped,
    (signal) =>
      makeImatrix(model, {
        ...defined({ out, overwrite, backend, threads }),
        calibration: calibration ?? {},
        signal,
        onNotice: (message) => terminal.notice(message),
        onDownload: new DownloadDisplay(terminal).handle,
        onBlock: (done, blocks) => terminal.notes([`  block ${done}/${blocks}`]),
      }),
  );
  const { weights, windows, window, unseen } = result;
  const text = `${formatPlural(windows, "window")} of ${formatCount(window)} tokens`;
  if (unseen.length > 0) {
    const message = `${formatPlural(unseen.length, "weight")} had columns without inputs but 0`;
    terminal.notice(message);
  }
  terminal.results([`  wrote ${printable(out)} · ${formatPlural(weights, "weight")} · ${text}`]);
  terminal.json(result);
}

const whenStopped = {
  message: "nothing was written",
  hint: "run the same command again to start over",
};
