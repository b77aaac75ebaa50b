import type { Command } from "commander";
import type { TrainConfigInput } from "../../index.ts";
import { formatTrainSummary } from "../../report/train-summary.ts";
import { formatCommand } from "../../util/shell-command.ts";
import { UsageError } from "../../util/errors.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  type ComputeOptions,
  choiceOption,
  collect,
  defined,
  expectGiven,
  nonNegativeInteger,
  positiveInteger,
  positiveNumber,
  type VerbosityOptions,
} from "../options.ts";
import { readConfigFile } from "../read-config-file.ts";
import { Terminal } from "../terminal.ts";
import { TrainProgress } from "../train-progress.ts";

interface Options extends VerbosityOptions, ComputeOptions {
  readonly text?: string[];
  readonly validation?: string[];
  readonly out: string;
  readonly from?: string;
  readonly steps?: number;
  readonly tokens?: number;
  readonly epochs?: number;
  readonly window?: number;
  readonly batch?: number;
  readonly accumulation?: number;
  readonly learningRate?: number;
  readonly precision?: "auto" | "f32" | "bf16";
  readonly recompute?: boolean;
  readonly dtype?: "bf16" | "f16" | "f32";
  readonly seed?: number;
  readonly checkpointEvery?: number;
  readonly overwrite?: boolean;
  readonly restart?: boolean;
}

/** A configuration as it stands in a file, whose sections command-line options change. */
type Sections = Readonly<Record<"data" | "optimizer" | "validation", object | undefined>>;

const example = `
  fewbit train small.json --text train.txt --validation valid.txt --out ./small
  fewbit train --from ./small --text more.txt --epochs 1 --out ./small-tuned
`;

const configHelp = `
CONFIG is a JSON file such as
  { "model": { "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 4,
               "num_attention_heads": 4, "vocab_size": 2048 },
    "steps": 2000, "optimizer": { "learningRate": 0.001 } }
or such JSON itself. docs/guide.md lists its fields. Options given here go before it. A run that was
interrupted is resumed by the same command.`;

/** Defines `fewbit train`. */
export function defineTrain(command: Command, io: Io): void {
  command
    .description("Trains a Llama model from text files, tokenizer included, or trains one further.")
    .usage("[CONFIG] --text FILE --out DIR [options]")
    .argument("[config]", "JSON file with the shape of the model and how it is trained")
    .addHelpText("before", example)
    .addHelpText("after", configHelp)
    .optionsGroup("What to do:")
    .option("--text <file>", "training text or JSONL (repeatable)", collect)
    .option("--validation <file>", "text to measure the loss on meanwhile (repeatable)", collect)
    .option("--out <dir>", "directory to write")
    .option("--from <model>", "train this checkpoint further, in place of a new model")
    .option("--overwrite", "replace a checkpoint that is there already")
    .option("--restart", "discard what an interrupted run had done, and start over")
    .optionsGroup("How long and how:")
    .option("--steps <n>", "steps of the optimizer", positiveInteger)
    .option("--tokens <n>", "tokens to train on, in place of steps", positiveInteger)
    .option("--epochs <n>", "passes through the text (default: 1)", positiveNumber)
    .option("--window <tokens>", "tokens a window (default: 256, or the context)", positiveInteger)
    .option("--batch <n>", "windows a micro-batch (default: 8)", positiveInteger)
    .option("--accumulation <n>", "micro-batches a step (default: 1)", positiveInteger)
    .option(
      "--learning-rate <x>",
      "largest learning rate (default: 0.001; with --from 0.0001)",
      positiveNumber,
    )
    .addOption(
      choiceOption(
        "--precision",
        ["auto", "f32", "bf16"],
        "of products of matrices (default: auto)",
      ),
    )
    .option("--recompute", "compute activations again instead of keeping them: less memory")
    .addOption(
      choiceOption("--dtype", ["bf16", "f16", "f32"], "of the stored weights (default: bf16)"),
    )
    .option("--seed <n>", "seed of weights and batches (default: 0)", nonNegativeInteger)
    .option("--checkpoint-every <n>", "steps between two kept states", positiveInteger);
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((config: string | undefined, options: Options) => runTrain(config, options, io));
}

async function runTrain(path: string | undefined, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  expectGiven(options, ["out"], "train");
  const config = await configOf(path, options);
  const { train } = await import("../../index.ts");
  const progress = new TrainProgress(terminal);
  const { out, overwrite, threads, backend } = options;
  const { record } = await interruptible(
    terminal,
    () => progress.onward,
    async (signal) => {
      const resume = options.restart ? ("restart" as const) : ("auto" as const);
      const run = train(config, defined({ out, overwrite, threads, backend, resume, signal }));
      for await (const event of run.events) progress.handle(event);
      return run;
    },
  );
  terminal.results(["", ...formatTrainSummary(record, out, terminal.resultLayout), ""]);
  terminal.notes([...nextSteps(options), ""]);
  terminal.json({ out, ...record });
}

/** The configuration of the file with the command line's options in it; the library checks it. */
async function configOf(path: string | undefined, options: Options): Promise<TrainConfigInput> {
  if (path === undefined && options.from === undefined) {
    throw new UsageError("no model was given", {
      hint: "name a CONFIG with the shape of a new model, or --from a checkpoint",
    });
  }
  const file = path === undefined ? {} : await readConfigFile(path);
  const sections = file as Partial<Sections>;
  const { steps, tokens, epochs } = options;
  const lengths = defined({ steps, tokens, epochs });
  const base: Record<string, unknown> = { ...file };
  if (Object.keys(lengths).length > 0) {
    for (const key of ["steps", "tokens", "epochs"]) delete base[key];
  }
  const { from, precision, recompute, dtype, seed, checkpointEvery } = options;
  const { text: files, window, batch, accumulation, learningRate, validation } = options;
  return {
    ...base,
    ...lengths,
    ...defined({ from, precision, recompute, dtype, seed, checkpointEvery }),
    data: { ...sections.data, ...defined({ files, window, batch }) },
    optimizer: { ...sections.optimizer, ...defined({ accumulation, learningRate }) },
    ...(validation ? { validation: { ...sections.validation, files: validation } } : {}),
  } as TrainConfigInput;
}

/** What to do with the result, as commands to copy. */
function nextSteps({ out, validation }: Options): string[] {
  const run = ["fewbit", "run", out, "--prompt", "Once"];
  const evaluate = ["fewbit", "eval", out, "--text", validation?.[0] ?? "FILE"];
  const quantize = ["fewbit", "quantize", out, "--method", "rtn", "--scheme", "w4g64"];
  return [
    `  next  ${formatCommand(run)}`,
    `        ${formatCommand(evaluate)}`,
    `        ${formatCommand([...quantize, "--out", `${out}-w4`])}`,
  ];
}
