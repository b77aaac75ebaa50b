import type { EvaluationProgress, TaskProgress } from "../evaluation/evaluation.ts";
import type { GenerationProgress } from "../evaluation/generation/generation.ts";
import { formatNumber, printable } from "../report/format.ts";
import { formatProgressLog, type Progress } from "../report/progress.ts";
import type { Terminal } from "./terminal.ts";

/** Shows how far an evaluation is: a bar where it can be redrawn, else some lines. */
export class EvaluationDisplay {
  private readonly terminal: Terminal;
  private shownWindows = 0;
  private shownOptions = 0;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  /** Takes how far a text is. */
  readonly showText = (event: EvaluationProgress): void => {
    const { terminal, shownWindows } = this;
    const { windows, totalWindows, perplexity, remainingMs } = event;
    const progress: Progress = {
      noun: "window",
      current: windows,
      total: totalWindows,
      fraction: windows / totalWindows,
      figure: { name: "perplexity", value: perplexity },
      remainingMs,
    };
    if (terminal.redraws) terminal.progress(progress);
    else if (isMilestone(event, shownWindows)) {
      const details = [`perplexity ${formatNumber(perplexity, 4)}`];
      terminal.log([`  ${formatProgressLog(progress, details)}`]);
    }
    // The next model's first windows come after this one's last.
    this.shownWindows = windows === totalWindows ? 0 : windows;
  };

  /** Takes how far the continuations are: a log gets one line. */
  readonly showContinuations = ({ done, total, remainingMs }: GenerationProgress): void => {
    const { terminal } = this;
    const fraction = done / total;
    const progress: Progress = {
      noun: "continuation",
      current: done,
      total,
      fraction,
      remainingMs,
    };
    if (terminal.redraws) terminal.progress(progress);
    else if (done === total) terminal.log([`  ${formatProgressLog(progress, [])}`]);
  };

  /** Takes how far a task is. */
  readonly showTask = ({ task, options, totalOptions, remainingMs }: TaskProgress): void => {
    const { terminal, shownOptions } = this;
    const progress: Progress = {
      noun: `${printable(task)} answer`,
      current: options,
      total: totalOptions,
      fraction: options / totalOptions,
      remainingMs,
    };
    if (terminal.redraws) terminal.progress(progress);
    else if (options === totalOptions || thousands(options) > thousands(shownOptions)) {
      terminal.log([`  ${formatProgressLog(progress, [])}`]);
    }
    this.shownOptions = options === totalOptions ? 0 : options;
  };
}

function thousands(count: number): number {
  return Math.floor(count / 1000);
}

/** A log gets about ten lines, whatever the number of windows. */
function isMilestone({ windows, totalWindows }: EvaluationProgress, before: number): boolean {
  const tenths = (count: number): number => Math.floor((10 * count) / totalWindows);
  return tenths(windows) > tenths(before);
}
