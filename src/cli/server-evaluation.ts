import type { Command } from "commander";
import type { ServerEvaluation } from "../evaluation/server/server-evaluation.ts";
import { figureName } from "../evaluation/figure.ts";
import { allFigures } from "../evaluation/figures.ts";
import { formatEvaluationTable, type MeasuredVariant } from "../report/evaluation-table.ts";
import { meanScore } from "../evaluation/tasks/averages.ts";
import { spreadText } from "../report/format-figure.ts";
import { formatCount, formatDuration, printable } from "../report/format.ts";
import { joinParts } from "../report/plan-summary.ts";
import { formatTaskTable } from "../report/task-table.ts";
import { withoutAnswers } from "../report/without-answers.ts";
import { wrapText } from "../report/wrap-text.ts";
import { UsageError } from "../util/errors.ts";
import { DownloadDisplay } from "./download-display.ts";
import { EvaluationDisplay } from "./evaluation-display.ts";
import { markRareFlags } from "./help.ts";
import { interruptible } from "./interrupt.ts";
import type { Io } from "./io.ts";
import { type ComputeOptions, defined, positiveInteger, type VerbosityOptions } from "./options.ts";
import { expectNone, expectSubject, readTaskOptions, type TaskOptions } from "./task-options.ts";
import { Terminal } from "./terminal.ts";
import { type WindowOptions, windowOptions } from "./window-options.ts";

/** Options that choose a server to measure. */
export interface ServerEvalOptions {
  readonly server?: string;
  readonly model?: string;
  readonly apiKey?: string;
  readonly top?: number;
}

/** All that measuring a server reads. */
interface Options
  extends VerbosityOptions,
    ComputeOptions,
    WindowOptions,
    TaskOptions,
    ServerEvalOptions {
  readonly text?: string;
  readonly against?: string;
  readonly speedTokens?: number;
  readonly fast?: boolean;
  readonly integerOnly?: boolean;
  readonly kvCache?: string;
}

/** Adds the options that choose a server. */
export function addServerOptions(command: Command): Command {
  command
    .option("--server <url>", "measure what a server runs that speaks OpenAI's interface")
    .option("--model <name>", "which of its models (default: its first)")
    .option("--api-key <key>", "its key (default: FEWBIT_API_KEY, or none)")
    .option(
      "--top <n>",
      "likeliest tokens that the divergence is made of (default: 20)",
      positiveInteger,
    );
  return markRareFlags(command, "--model", "--api-key", "--top");
}

const isAddress = (word: string): boolean => /^https?:\/\//.test(word);

/** Runs `fewbit eval --server`. */
export async function runServerEval(
  model: string | undefined,
  options: Options,
  io: Io,
): Promise<void> {
  const terminal = new Terminal(io, options);
  expectApplicable(model, options);
  const { text, task = [], against } = options;
  const subjects = [...(text === undefined ? [] : [text]), ...task].map((name) => printable(name));
  terminal.notes([
    "",
    ...joinParts(
      [printable(options.server ?? ""), `on ${subjects.join(", ")}`],
      terminal.noteLayout,
    ),
    "",
  ]);
  const evaluation = await interruptible(terminal, whenStopped, (signal) =>
    measure(options, terminal, signal),
  );
  if (evaluation.windows !== undefined) terminal.notes(["", ...describe(evaluation, terminal)]);
  terminal.notes([""]);
  terminal.results(table(evaluation, terminal));
  if (against !== undefined) terminal.notes(["", ...sayBound(evaluation, terminal)]);
  terminal.notes([""]);
  terminal.json(withoutAnswers(evaluation));
}

const whenStopped = {
  message: "an evaluation that is not finished has no result",
  hint: "measure less with --max-windows",
};

function expectApplicable(model: string | undefined, options: Options): void {
  if (model !== undefined) {
    throw new UsageError(`expected a checkpoint or a server to measure, got both: "${model}"`, {
      hint: "hold the server against the checkpoint with --against, or leave one out",
    });
  }
  const { speedTokens, fast, integerOnly, kvCache, generate, samples, beyondContext } = options;
  const own = { speedTokens, fast, integerOnly, kvCache, generate, samples, beyondContext };
  expectNone(own, "is for models that are loaded here, not for a server");
  expectSubject(options, windowOptions(options), "eval");
}

async function measure(
  options: Options,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ServerEvaluation> {
  const { evaluateServer } = await import("../index.ts");
  const { server = "", model, text, against, top, threads, backend } = options;
  const display = new EvaluationDisplay(terminal);
  const apiKey = options.apiKey ?? terminal.io.env["FEWBIT_API_KEY"];
  const original = against !== undefined && isAddress(against) ? { url: against, apiKey } : against;
  const { beyondContext: _, ...windows } = windowOptions(options);
  return evaluateServer(
    { url: server, model, apiKey },
    {
      ...defined({ text, against: original, top, threads, backend }),
      ...readTaskOptions(options),
      ...windows,
      signal,
      onNotice: (message: string) => terminal.notice(message),
      onDownload: new DownloadDisplay(terminal).handle,
      onProgress: display.showText,
      onTaskProgress: display.showTask,
    },
  );
}

function describe(evaluation: ServerEvaluation, terminal: Terminal): string[] {
  const { windows, window, tokens = 0, protocol, prompts, elapsedMs } = evaluation;
  const parts = [
    `${windows} × ${window} tokens, ${formatCount(tokens)} scored`,
    protocol === "windows" ? "windows without overlap" : "second half of each window",
    prompts === "texts" ? "prompts sent as texts" : "prompts sent as token ids",
    formatDuration(elapsedMs),
  ];
  return joinParts(parts, terminal.noteLayout);
}

function table(evaluation: ServerEvaluation, terminal: Terminal): string[] {
  const layout = terminal.resultLayout;
  const { original } = evaluation;
  const lines = formatEvaluationTable(
    original && variantOf(original),
    [variantOf(evaluation)],
    layout,
  );
  const below = allFigures.flatMap((figure) => {
    const text = figure.foot ? spreadText(figure, evaluation) : null;
    return text === null ? [] : [`${figureName(figure)} ${text}`];
  });
  if (below.length > 0) lines.push("", ...joinParts(below, layout));
  if (evaluation.tasks.length > 0) lines.push("", ...formatTaskTable(evaluation, null, layout));
  return lines;
}

function variantOf(measured: Pick<ServerEvaluation, "model" | "tasks">): MeasuredVariant {
  const { tasks, model } = measured;
  const accuracy = tasks.length > 0 ? { mean: meanScore(tasks).accuracy.mean } : null;
  return { variant: model, measured: { ...measured, accuracy } };
}

/** A server names the likeliest tokens only: what that leaves out is said. */
function sayBound({ divergenceOfTop }: ServerEvaluation, terminal: Terminal): string[] {
  if (!divergenceOfTop) return [];
  const sentence =
    `KL is made of the ${divergenceOfTop} likeliest tokens that both name, all others being one: ` +
    "a lower bound of the divergence over the whole vocabulary.";
  return wrapText(sentence, terminal.noteLayout.width);
}
