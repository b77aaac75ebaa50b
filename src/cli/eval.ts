import type { Command } from "commander";
import { DownloadDisplay } from "./download-display.ts";
import type { Evaluation, EvaluationProgress } from "../evaluation/evaluation.ts";
import { originalFigures, variantFigures } from "../report/evaluation-figures.ts";
import { formatEvaluationTable } from "../report/evaluation-table.ts";
import {
  formatCount,
  formatNumber,
  formatDuration,
  formatBits,
  printable,
} from "../report/format.ts";
import { modelName } from "../report/model-name.ts";
import { joinParts } from "../report/plan-summary.ts";
import { formatProgressLog, type Progress } from "../report/progress.ts";
import { interruptible } from "./interrupt.ts";
import type { Io } from "./io.ts";
import {
  addComputeOptions,
  addVoiceOptions,
  type ComputeOptions,
  choiceOption,
  defined,
  expectGiven,
  nonNegativeInteger,
  positiveInteger,
  type VoiceOptions,
  modelArgument,
} from "./options.ts";
import { Terminal } from "./terminal.ts";

interface Options extends VoiceOptions, ComputeOptions {
  readonly text: string;
  readonly window?: number;
  readonly protocol?: "windows" | "second-half";
  readonly maxWindows?: number;
  readonly against?: string;
  readonly speedTokens?: number;
  readonly fast?: boolean;
}

const example = `
  fewbit eval ./llama-w4 --against ./llama --text test.txt --window 512
`;

/** Defines `fewbit eval`. */
export function defineEval(command: Command, io: Io): void {
  command
    .description("Measures perplexity on a text, and how far a model is from its original.")
    .usage("MODEL --text FILE [options]")
    .argument("<model>", modelArgument)
    .addHelpText("before", example)
    .optionsGroup("What to measure:")
    .option("--text <file>", "text to predict")
    .option("--against <original>", "also compare with this checkpoint, token by token")
    .option("--window <tokens>", "tokens a window (default: 2048, or the context)", positiveInteger)
    .addOption(
      choiceOption(
        "--protocol",
        ["windows", "second-half"],
        "score all of each window, or its second half as llama.cpp does (default: windows)",
      ),
    )
    .option("--max-windows <n>", "stop after this many windows", positiveInteger)
    .option(
      "--speed-tokens <n>",
      "tokens to generate for the speed, 0 for none",
      nonNegativeInteger,
    )
    .option("--fast", "multiply packed weights as generation does, with inputs of 8 bits");
  addComputeOptions(command);
  addVoiceOptions(command);
  command.action((model: string, options: Options) => runEval(model, options, io));
}

async function runEval(model: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  expectGiven(options, ["text"], "eval");
  const { evaluate } = await import("../index.ts");
  const { text, window, protocol, maxWindows, against, speedTokens, threads, backend } = options;
  terminal.notes(["", ...announce(model, options, terminal), ""]);
  let shownWindows = 0;
  const evaluation = await interruptible(terminal, onward, (signal) =>
    evaluate(model, {
      ...defined({ text, window, protocol, maxWindows, against, speedTokens, threads, backend }),
      products: options.fast ? "fast" : "exact",
      signal,
      onNotice: (message) => terminal.notice(message),
      onDownload: new DownloadDisplay(terminal).handle,
      onProgress: (progress) => {
        showProgress(terminal, progress, shownWindows);
        shownWindows = progress.windows;
      },
    }),
  );
  terminal.notes(["", ...describe(evaluation, terminal), ""]);
  terminal.results(table(evaluation, terminal));
  terminal.notes([""]);
  terminal.json(evaluation);
}

const onward = {
  message: "an evaluation that is not finished has no result",
  hint: "measure less with --max-windows",
};

function announce(model: string, { text, against }: Options, terminal: Terminal): string[] {
  const subject = printable(modelName(model));
  const parts = [
    against ? `${subject} against ${printable(modelName(against))}` : subject,
    `on ${printable(text)}`,
  ];
  return joinParts(parts, terminal.noteLayout);
}

/** Shows how far an evaluation is; `before` is the number of windows when it was last shown. */
function showProgress(terminal: Terminal, event: EvaluationProgress, before: number): void {
  const progress: Progress = {
    noun: "window",
    current: event.windows,
    total: event.totalWindows,
    fraction: event.windows / event.totalWindows,
    figure: { name: "perplexity", value: event.perplexity },
    remainingMs: event.remainingMs,
  };
  if (terminal.redraws) terminal.progress(progress);
  else if (isMilestone(event, before)) {
    const details = [`perplexity ${formatNumber(event.perplexity, 4)}`];
    terminal.notes([`  ${formatProgressLog(progress, details)}`]);
  }
}

/** A log gets about ten lines, whatever the number of windows. */
function isMilestone({ windows, totalWindows }: EvaluationProgress, before: number): boolean {
  const tenths = (count: number): number => Math.floor((10 * count) / totalWindows);
  return tenths(windows) > tenths(before);
}

function describe(evaluation: Evaluation, terminal: Terminal): string[] {
  const { windows, window, tokens, protocol, backend, products, elapsedMs } = evaluation;
  const parts = [
    `${windows} × ${window} tokens, ${formatCount(tokens)} scored`,
    protocol === "windows" ? "windows without overlap" : "second half of each window",
    `${backend.id} (${backend.level})${products === "fast" ? ", inputs of 8 bits" : ""}`,
    formatDuration(elapsedMs),
  ];
  return joinParts(parts, terminal.noteLayout);
}

function table(evaluation: Evaluation, terminal: Terminal): string[] {
  const { klDivergence } = evaluation;
  const lines = formatEvaluationTable(
    originalFigures(evaluation),
    [variantFigures(evaluation, modelName(evaluation.model))],
    terminal.resultLayout,
  );
  const file = `whole file ${formatBits(evaluation.bitsPerWeight.file)} bits/weight`;
  if (!klDivergence) return [...lines, "", `  ${file}`];
  const { percentile99, maximum } = klDivergence;
  const tail = `KL divergence 99 % below ${formatNumber(percentile99)}, at most ${formatNumber(maximum)}`;
  return [...lines, "", ...joinParts([file, tail], terminal.resultLayout)];
}
