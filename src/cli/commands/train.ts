import { type Command, Option } from "commander";
import { formatTrainSummary } from "../../report/train-summary.ts";
import { type TrainConfigInput, trainFields } from "../../train/pretrain-config.ts";
import { formatCommand } from "../../util/shell-command.ts";
import { UsageError } from "../../util/errors.ts";
import { addFieldOptions, readFields } from "../field-options.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  type ComputeOptions,
  defined,
  expectGiven,
  type VerbosityOptions,
} from "../options.ts";
import { readConfigFile } from "../read-config-file.ts";
import { Terminal } from "../terminal.ts";
import { TrainProgress } from "../train-progress.ts";
import { isJsonRecord } from "../../util/json.ts";

/** What is no field of a configuration. */
interface Options extends VerbosityOptions, ComputeOptions {
  readonly out: string;
  readonly overwrite?: boolean;
  readonly restart?: boolean;
}

/** Fields of a configuration: values, or sections of fields. */
type Fields = Record<string, unknown>;

const example = `
  fewbit train small.json --text train.txt --validation valid.txt --out ./small
  fewbit train --from ./small --text more.txt --epochs 1 --out ./small-tuned
`;

const configHelp = `
CONFIG is a JSON file such as
  { "model": { "hidden_size": 128, "intermediate_size": 352,
               "num_hidden_layers": 4, "num_attention_heads": 4,
               "vocab_size": 2048 },
    "steps": 2000, "optimizer": { "learningRate": 0.001 } }
or such JSON itself. docs/guide.md lists its fields. Options given here go
before it. A run that was interrupted is resumed by the same command.`;

/** Defines `fewbit train`. */
export function defineTrain(command: Command, io: Io): void {
  command
    .description("Trains a Llama model from text files, tokenizer included, or trains one further.")
    .usage("[CONFIG] --text FILE --out DIR [options]")
    .argument("[config]", "JSON file with the shape of the model and how it is trained")
    .addHelpText("before", example)
    .addHelpText("after", configHelp);
  addFieldOptions(command, trainFields, {
    "validation.files": [new Option("--out <dir>", "directory to write")],
    from: [
      new Option("--overwrite", "replace a checkpoint that is there already"),
      new Option("--restart", "discard what an interrupted run had done"),
    ],
  });
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((config: string | undefined, options: Options) =>
    runTrain(config, readFields(command), options, io),
  );
}

async function runTrain(
  path: string | undefined,
  given: TrainConfigInput,
  options: Options,
  io: Io,
): Promise<void> {
  const terminal = new Terminal(io, options);
  expectGiven(options, ["out"], "train");
  const config = await configOf(path, given);
  const { train } = await import("../../index.ts");
  const progress = new TrainProgress(terminal);
  const { out, overwrite, threads, backend } = options;
  const { record } = await interruptible(
    terminal,
    () => progress.whenStopped,
    async (signal) => {
      const resume = options.restart ? ("restart" as const) : ("auto" as const);
      const run = train(config, defined({ out, overwrite, threads, backend, resume, signal }));
      for await (const event of run.events) progress.handle(event);
      return run;
    },
  );
  terminal.results(["", ...formatTrainSummary(record, out, terminal.resultLayout), ""]);
  terminal.notes([...nextSteps(out, given.validation?.files[0]), ""]);
  terminal.json({ out, ...record });
}

/** The configuration of the file with the command line's fields in it; the library checks it. */
async function configOf(
  path: string | undefined,
  given: TrainConfigInput,
): Promise<TrainConfigInput> {
  if (path === undefined && given.from === undefined) {
    throw new UsageError("no model was given", {
      hint: "name a CONFIG with the shape of a new model, or --from a checkpoint",
    });
  }
  const config: Fields = path === undefined ? {} : await readConfigFile(path);
  const lengths = ["steps", "tokens", "epochs"];
  if (lengths.some((name) => name in given)) for (const name of lengths) delete config[name];
  for (const [name, value] of Object.entries(given)) {
    const section = config[name];
    config[name] = isJsonRecord(value) && isJsonRecord(section) ? { ...section, ...value } : value;
  }
  return config as TrainConfigInput;
}

/** What to do with the result, as commands to copy. */
function nextSteps(out: string, text = "FILE"): string[] {
  const run = ["fewbit", "run", out, "--prompt", "Once"];
  const evaluate = ["fewbit", "eval", out, "--text", text];
  const quantize = ["fewbit", "quantize", out, "--method", "rtn", "--scheme", "w4g64"];
  return [
    `  next  ${formatCommand(run)}`,
    `        ${formatCommand(evaluate)}`,
    `        ${formatCommand([...quantize, "--out", `${out}-w4`])}`,
  ];
}
