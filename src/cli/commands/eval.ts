import type { Command } from "commander";
import { DownloadDisplay } from "../download-display.ts";
import { type KvRounding, kvRoundings } from "../../quant/activation-grid.ts";
import type { Evaluation, TaskEvaluation } from "../../evaluation/evaluation.ts";
import { figureName } from "../../evaluation/figure.ts";
import { allFigures, figures } from "../../evaluation/figures.ts";
import { formatEvaluationTable, variantsOf } from "../../report/evaluation-table.ts";
import { formatCount, formatDuration, printable } from "../../report/format.ts";
import { figureText, spreadText } from "../../report/format-figure.ts";
import { describeBeyond } from "../../report/describe-beyond.ts";
import {
  describeGeneration,
  formatExcerpts,
  formatGenerationTable,
} from "../../report/generation-summary.ts";
import { modelName } from "../../report/model-name.ts";
import { joinParts } from "../../report/plan-summary.ts";
import { withoutAnswers } from "../../report/without-answers.ts";
import { formatTaskTable } from "../../report/task-table.ts";
import { wrapText } from "../../report/wrap-text.ts";
import { UsageError } from "../../util/errors.ts";
import { EvaluationDisplay } from "../evaluation-display.ts";
import { markRareFlags } from "../help.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  choiceOption,
  type ComputeOptions,
  defined,
  nonNegativeInteger,
  type VerbosityOptions,
  modelArgument,
} from "../options.ts";
import {
  addTaskOptions,
  expectNone,
  expectSubject,
  readTaskOptions,
  type TaskOptions,
} from "../task-options.ts";
import { Terminal } from "../terminal.ts";
import { addPromptOptions, type PromptOptions, readPromptOptions } from "../generate-options.ts";
import { addServerOptions, runServerEval, type ServerEvalOptions } from "../server-evaluation.ts";
import { addWindowOptions, type WindowOptions, windowOptions } from "../window-options.ts";

interface Options
  extends VerbosityOptions,
    ComputeOptions,
    Omit<TaskOptions, "generate" | "seed">,
    PromptOptions,
    WindowOptions,
    ServerEvalOptions {
  readonly text?: string;
  readonly against?: string;
  readonly speedTokens?: number;
  readonly fast?: boolean;
  readonly integerOnly?: boolean;
  readonly kvCache?: KvRounding | "f32";
}

const example = `
  fewbit eval ./llama-w4 --against ./llama --text test.txt --window 512
  fewbit eval ./llama-w4 --average efficientqat-5 --tasks-from ./tasks
  fewbit eval ./llama-w2 --against ./llama --generate
  fewbit eval --server http://127.0.0.1:8080 --text test.txt
`;

/** Defines `fewbit eval`. */
export function defineEval(command: Command, io: Io): void {
  command
    .description(
      "Measures perplexity on a text, accuracy on tasks, whether a model can still write, and how " +
        "far it is from its original.",
    )
    .usage("MODEL (--text FILE | --task TASK... | --generate) [options]")
    .argument("[model]", modelArgument)
    .addHelpText("before", example)
    .optionsGroup("What to measure:")
    .option("--text <file>", "text to predict")
    .option("--against <original>", "also compare with this checkpoint, token by token");
  addServerOptions(command);
  addWindowOptions(command)
    .option(
      "--speed-tokens <n>",
      "tokens to generate for the speed, 0 for none",
      nonNegativeInteger,
    )
    .option("--fast", "multiply packed weights as generation does, with inputs of 8 bits")
    .option("--integer-only", "compute without floats, from token ids to logits (w8…a8 models)")
    .addOption(
      choiceOption(
        "--kv-cache",
        ["f32", ...kvRoundings],
        "what keys and values are rounded to (default: as the model says)",
      ),
    );
  addTaskOptions(command).option(
    "--samples <file>",
    "write every item's log-likelihoods there, as JSON lines",
  );
  addPromptOptions(command).option(
    "--generate-to <file>",
    "write all continuations there, as JSON lines",
  );
  markRareFlags(command, "--speed-tokens", "--fast", "--integer-only", "--kv-cache", "--samples");
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((model: string | undefined, options: Options) => {
    if (options.server !== undefined) return runServerEval(model, options, io);
    expectNone({ model: options.model, apiKey: options.apiKey, top: options.top }, noServer);
    return runEval(expectModel(model), options, io);
  });
}

const noServer = "says how a server is measured, but there is no --server";

function expectModel(model: string | undefined): string {
  if (model !== undefined) return model;
  throw new UsageError("there is no model to measure", {
    hint: "name a checkpoint, or a server with --server",
  });
}

async function runEval(model: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  const { speedTokens } = options;
  readPromptOptions(options);
  expectSubject(options, { ...windowOptions(options), speedTokens }, "eval");
  terminal.notes(["", ...announce(model, options, terminal), ""]);
  const evaluation = await interruptible(terminal, whenStopped, (signal) =>
    measure(model, options, terminal, signal),
  );
  if ("text" in evaluation) terminal.notes(["", ...describe(evaluation, terminal)]);
  terminal.notes([""]);
  terminal.results(table(evaluation, terminal));
  terminal.notes([""]);
  sayMissingAverages(evaluation, options, terminal);
  terminal.json(withoutAnswers(evaluation));
}

async function measure(
  model: string,
  options: Options,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Evaluation | TaskEvaluation> {
  const { evaluate } = await import("../../index.ts");
  const { text, against, speedTokens, threads, backend, kvCache } = options;
  const display = new EvaluationDisplay(terminal);
  const common = {
    ...defined({ against, threads, backend, kvCache }),
    ...readTaskOptions(options),
    ...readPromptOptions(options),
    products: options.fast ? "fast" : "exact",
    integerOnly: options.integerOnly ?? false,
    signal,
    onNotice: (message: string) => terminal.notice(message),
    onDownload: new DownloadDisplay(terminal).handle,
    onTaskProgress: display.showTask,
    onGenerateProgress: display.showContinuations,
  } as const;
  if (text === undefined) return evaluate(model, common);
  return evaluate(model, {
    ...common,
    text,
    ...windowOptions(options),
    ...defined({ speedTokens }),
    onProgress: display.showText,
  });
}

const whenStopped = {
  message: "an evaluation that is not finished has no result",
  hint: "measure less with --max-windows",
};

function announce(model: string, options: Options, terminal: Terminal): string[] {
  const { text, task = [], average = [], against, generate } = options;
  const prompts = generate === undefined ? [] : ["what it writes"];
  const subject = printable(modelName(model));
  const parts = [
    against ? `${subject} against ${printable(modelName(against))}` : subject,
    `on ${printable([...(text === undefined ? [] : [text]), ...task, ...average, ...prompts].join(", "))}`,
  ];
  return joinParts(parts, terminal.noteLayout);
}

function describe(evaluation: Evaluation, terminal: Terminal): string[] {
  const { windows, window, tokens, protocol, backend, products, kvCache, elapsedMs } = evaluation;
  const parts = [
    `${windows} × ${window} tokens, ${formatCount(tokens)} scored`,
    protocol === "windows" ? "windows without overlap" : "second half of each window",
    `${backend.id} (${backend.level})${products === "fast" ? ", inputs of 8 bits" : ""}`,
    ...(evaluation.integerOnly ? ["integers only"] : []),
    ...(kvCache ? [`keys and values in ${kvCache}`] : []),
    formatDuration(elapsedMs),
  ];
  return joinParts(parts, terminal.noteLayout);
}

function table(evaluation: Evaluation | TaskEvaluation, terminal: Terminal): string[] {
  const { original, variant } = variantsOf(evaluation);
  const lines = formatEvaluationTable(original, [variant], terminal.resultLayout);
  lines.push("", ...footer(evaluation, terminal));
  if (evaluation.tasks.length > 0) {
    lines.push("", ...formatTaskTable(evaluation, evaluation.original, terminal.resultLayout));
  }
  return evaluation.generation ? [...lines, ...writing(evaluation, terminal)] : lines;
}

function writing(evaluation: Evaluation | TaskEvaluation, terminal: Terminal): string[] {
  const layout = terminal.resultLayout;
  const sentences = describeGeneration(evaluation);
  return [
    "",
    ...formatGenerationTable(evaluation, layout),
    "",
    ...sentences.flatMap((sentence) => wrapText(sentence, layout.width)),
    ...formatExcerpts(evaluation, layout),
  ];
}

function footer(evaluation: Evaluation | TaskEvaluation, terminal: Terminal): string[] {
  const below = allFigures.flatMap((figure) => {
    const text = figure.foot ? spreadText(figure, evaluation) : null;
    return text === null ? [] : [`${figureName(figure)} ${text}`];
  });
  const file = `whole file ${figureText(figures["file-bits"], evaluation)} bits/weight`;
  const context = "beyondContext" in evaluation ? evaluation.beyondContext : undefined;
  const beyond = context === undefined ? [] : [`windows ${describeBeyond(context)}`];
  return joinParts([file, ...below, ...beyond], terminal.resultLayout);
}

/** Says why an average that was asked for is not among the results. */
function sayMissingAverages(
  { averages }: Evaluation | TaskEvaluation,
  { average = [] }: Options,
  terminal: Terminal,
): void {
  const missing = average.filter((name) => averages.every((found) => found.name !== name));
  if (missing.length === 0) return;
  terminal.notice(`not given: ${missing.join(", ")}; it takes whole tasks without examples`);
}
