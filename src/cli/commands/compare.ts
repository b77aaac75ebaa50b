import type { Command } from "commander";
import type { ModelComparison } from "../../evaluation/comparison/model-comparison.ts";
import { formatDuration, printable } from "../../report/format.ts";
import { describeComparison, formatComparedFigures } from "../../report/model-comparison-text.ts";
import { modelName } from "../../report/model-name.ts";
import { joinParts } from "../../report/plan-summary.ts";
import { DownloadDisplay } from "../download-display.ts";
import { EvaluationDisplay } from "../evaluation-display.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  type ComputeOptions,
  defined,
  modelArgument,
  type VerbosityOptions,
} from "../options.ts";
import {
  addTaskOptions,
  expectSubject,
  readTaskOptions,
  type TaskOptions,
} from "../task-options.ts";
import { Terminal } from "../terminal.ts";
import { addPromptOptions, type PromptOptions, readPromptOptions } from "../generate-options.ts";
import { addWindowOptions, type WindowOptions, windowOptions } from "../window-options.ts";

interface Options
  extends VerbosityOptions,
    ComputeOptions,
    Omit<TaskOptions, "generate" | "seed">,
    PromptOptions,
    WindowOptions {
  readonly text?: string;
  readonly against?: string;
  readonly fast?: boolean;
}

const example = `
  fewbit compare ./w2-gptq ./w2-paretoq --against ./llama --text test.txt
  fewbit compare ./llama-w4 ./llama-w3 --text test.txt --task piqa.jsonl
`;

/** Defines `fewbit compare`. */
export function defineCompare(command: Command, io: Io): void {
  command
    .description(
      "Says which of two models is better on a text, on tasks and in what it writes, and by how much, " +
        "as far as the data say.",
    )
    .usage("A B (--text FILE | --task TASK... | --generate) [options]")
    .argument("<model-a>", modelArgument)
    .argument("<model-b>", "the same")
    .addHelpText("before", example)
    .optionsGroup("What to measure:")
    .option("--text <file>", "text to predict")
    .option("--against <original>", "also compare how far both are from this checkpoint");
  addWindowOptions(command).option(
    "--fast",
    "multiply packed weights as generation does, with inputs of 8 bits",
  );
  addTaskOptions(command);
  addPromptOptions(command);
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((a: string, b: string, options: Options) => runCompare([a, b], options, io));
}

async function runCompare(
  models: readonly [string, string],
  options: Options,
  io: Io,
): Promise<void> {
  const terminal = new Terminal(io, options);
  const { against, generate } = options;
  const ofText = { ...windowOptions(options), ...(generate === undefined && { against }) };
  readPromptOptions(options);
  expectSubject(options, ofText, "compare");
  terminal.notes(["", ...announce(models, options, terminal)]);
  const comparison = await interruptible(terminal, whenStopped, (signal) =>
    measure(models, options, terminal, signal),
  );
  const layout = terminal.resultLayout;
  terminal.notes(["", `  done in ${formatDuration(comparison.elapsedMs)}`, ""]);
  terminal.results(formatComparedFigures(comparison, layout));
  const [note, ...sentences] = describeComparison(comparison).reverse();
  terminal.results(["", ...sentences.reverse().map((sentence) => `  ${sentence}`)]);
  terminal.notes(["", `  ${note ?? ""}`, ""]);
  terminal.json(comparison);
}

async function measure(
  [a, b]: readonly [string, string],
  options: Options,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ModelComparison> {
  const { compare } = await import("../../index.ts");
  const { text, against, threads, backend } = options;
  const display = new EvaluationDisplay(terminal);
  return compare(a, b, {
    ...windowOptions(options),
    ...defined({ text, against, threads, backend }),
    ...readTaskOptions(options),
    ...readPromptOptions(options),
    products: options.fast ? "fast" : "exact",
    signal,
    onNotice: (message) => terminal.notice(message),
    onDownload: new DownloadDisplay(terminal).handle,
    onModel: (name) => terminal.notes(["", `  ${printable(name)}`]),
    onProgress: display.showText,
    onTaskProgress: display.showTask,
    onGenerateProgress: display.showContinuations,
  });
}

const whenStopped = {
  message: "a comparison that is not finished has no result",
  hint: "measure less with --max-windows or --limit",
};

function announce(
  models: readonly [string, string],
  { text, task = [], average = [], against, generate }: Options,
  terminal: Terminal,
): string[] {
  const prompts = generate === undefined ? [] : ["what they write"];
  const [a, b] = models.map((model) => printable(modelName(model)));
  const parts = [
    `${a} or ${b}`,
    `on ${printable([...(text === undefined ? [] : [text]), ...task, ...average, ...prompts].join(", "))}`,
    ...(against ? [`original ${printable(modelName(against))}`] : []),
  ];
  return joinParts(parts, terminal.noteLayout);
}
