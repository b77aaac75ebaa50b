import type { PipelineEvent } from "../run/events.ts";
import type { LinearRecord, TransformRecord } from "../run/run-record.ts";
import {
  formatCount,
  formatDuration,
  formatMoment,
  formatNumber,
  formatPlural,
  printable,
} from "../report/format.ts";
import { formatPlan } from "../report/plan-summary.ts";
import { formatProgressLog, type Progress } from "../report/progress.ts";
import { DownloadDisplay } from "./download-display.ts";
import type { StopMessage } from "./interrupt.ts";
import type { Terminal } from "./terminal.ts";

type ProgressEvent = Extract<PipelineEvent, { type: "progress" }>;
type StageEvent = Extract<PipelineEvent, { type: "stage" }>;
type ResumedEvent = Extract<PipelineEvent, { type: "resumed" }>;
type StepEvent = Extract<PipelineEvent, { type: "step" }>;

/** About how many lines of a training a log gets, whatever its length. */
const stepLines = 50;

/** Shows a quantization on standard error: a bar where it can be redrawn, else a line a block. */
export class QuantizationProgress {
  private readonly terminal: Terminal;
  private readonly download: DownloadDisplay;
  private latest: ProgressEvent | null = null;
  /** Linears of the block at work. */
  private linears: LinearRecord[] = [];
  private lastError: number | null = null;
  /** Finished parts that stay when the run is stopped. */
  private finished = { blocks: 0, of: 0, windows: 0, steps: 0, tables: false };
  private smoothedLoss: number | null = null;
  /** Title of the last method of a chain that is done. */
  private finishedStage: string | null = null;
  private stage: StageEvent | null = null;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
    this.download = new DownloadDisplay(terminal);
  }

  /** Takes the next event of the run. */
  handle(event: PipelineEvent): void {
    const { terminal } = this;
    if (event.type === "download") {
      this.download.handle(event.progress);
    } else if (event.type === "plan") {
      terminal.notes(["", ...formatPlan(event.plan, terminal.noteLayout), ""]);
    } else if (event.type === "resumed") {
      this.resume(event);
    } else if (event.type === "stage") {
      this.beginStage(event);
    } else if (event.type === "window") {
      this.finished.windows = event.done;
    } else if (event.type === "notice") {
      terminal.notice(event.message);
    } else if (event.type === "progress") {
      this.latest = event;
      terminal.progress(this.progressOf(event));
    } else if (event.type === "step") {
      this.step(event);
    } else if (event.type === "transform") {
      terminal.details(describeTransform(event.transform));
    } else if (event.type === "linear") {
      this.linears.push(event.linear);
      this.lastError = event.linear.relativeError;
      terminal.details([describeLinear(event.linear)]);
    } else if (event.type === "tables") {
      this.finished = { ...this.finished, tables: true };
    } else if (event.type === "block") {
      this.endBlock(event.block, event.blocks);
    } else {
      terminal.clearProgress();
    }
  }

  /** What is said when the run is stopped now: what it finished, and how to resume it. */
  get whenStopped(): StopMessage {
    const { blocks, of, windows, steps, tables } = this.finished;
    if (this.finishedStage !== null) {
      return {
        message: `${this.finishedStage} is finished and kept; the model is as it was`,
        hint: "run the same command again to resume, or with --restart to start over",
      };
    }
    if (blocks === 0 && windows === 0 && steps === 0 && !tables) {
      return {
        message: "nothing was written, and the model is as it was",
        hint: "run the same command again to start over",
      };
    }
    const before = windows > 0 ? formatPlural(windows, "calibration window") : "embedding and head";
    const parts = blocks > 0 ? `${blocks} of ${of} blocks` : before;
    const what = steps > 0 ? formatPlural(steps, "step") : parts;
    return {
      message: `${what} are finished and kept; the model is as it was`,
      hint: "run the same command again to resume, or with --restart to start over",
    };
  }

  private beginStage(event: StageEvent): void {
    if (this.stage) this.finishedStage = this.stage.title;
    this.stage = event;
    this.lastError = null;
    const { stage, stages, title, isDone } = event;
    if (stages === 1) return;
    const note = isDone ? ": done by the interrupted run" : "";
    this.terminal.log([`  stage ${stage} of ${stages}, ${title}${note}`]);
  }

  private resume(event: ResumedEvent): void {
    const { finishedBlocks, blocks, finishedWindows, finishedSteps: steps = 0 } = event;
    this.finished = {
      blocks: finishedBlocks,
      of: blocks,
      windows: finishedWindows,
      steps,
      tables: finishedBlocks + finishedWindows + steps === 0,
    };
    const before =
      finishedWindows > 0 ? formatPlural(finishedWindows, "calibration window") : "the embedding";
    const parts = finishedBlocks > 0 ? `block ${finishedBlocks} of ${blocks}` : before;
    const what = steps > 0 ? `step ${steps}` : parts;
    const when = formatMoment(new Date(event.interruptedAt), new Date());
    this.terminal.log([`  resuming after ${what} of a run interrupted ${when}`, ""]);
  }

  /** A step of training: a bar that is redrawn, or a line now and then. */
  private step(event: StepEvent): void {
    const { terminal } = this;
    const { step, steps, loss, remainingMs } = event;
    this.finished = { ...this.finished, steps: step };
    this.smoothedLoss = (this.smoothedLoss ?? loss) * 0.9 + 0.1 * loss;
    const speed =
      event.tokensPerSecond === null
        ? []
        : [`${formatCount(Math.round(event.tokensPerSecond))} tokens/s`];
    const progress: Progress = {
      noun: "step",
      current: step,
      total: steps,
      fraction: step / steps,
      ...(speed[0] === undefined ? {} : { activity: speed[0] }),
      figure: { name: "loss", value: this.smoothedLoss },
      remainingMs,
    };
    if (terminal.redraws) return terminal.progress(progress);
    if (step !== 1 && step % Math.max(1, Math.ceil(steps / stepLines)) !== 0) return;
    const details = [`loss ${formatNumber(this.smoothedLoss, 4)}`, ...speed];
    terminal.log([`  ${formatProgressLog(progress, details)}`]);
  }

  private endBlock(block: number, blocks: number): void {
    const { terminal, latest, linears } = this;
    this.finished = { ...this.finished, blocks: block + 1, of: blocks };
    this.linears = [];
    if (terminal.redraws) return;
    const progress = {
      noun: "block",
      current: block + 1,
      total: blocks,
      fraction: latest?.fraction ?? 0,
      remainingMs: latest?.remainingMs ?? null,
    };
    terminal.log([`  ${formatProgressLog(progress, describeErrors(linears))}`]);
  }

  private progressOf(event: ProgressEvent): Progress {
    return {
      noun: "block",
      current: event.block + 1,
      total: event.blocks,
      fraction: event.fraction,
      activity: event.activity,
      figure: this.lastError === null ? null : { name: "error", value: this.lastError },
      remainingMs: event.remainingMs,
    };
  }
}

function describeErrors(linears: readonly LinearRecord[]): string[] {
  if (linears.length === 0) return [];
  const mean = linears.reduce((sum, { relativeError }) => sum + relativeError, 0) / linears.length;
  const worst = linears.reduce((a, b) => (b.relativeError > a.relativeError ? b : a));
  const detail = `worst ${formatNumber(worst.relativeError)}, ${printable(worst.slot)}`;
  return [`error ${formatNumber(mean)} (${detail})`];
}

function describeTransform({ method, block, parts }: TransformRecord): string[] {
  return parts.map(({ name, figures }) => {
    const values = Object.entries(figures).map(([key, value]) => `${key} ${formatNumber(value)}`);
    return `    ${[`${method} of block ${block + 1}`, printable(name), ...values].join("  ")}`;
  });
}

function describeLinear(linear: LinearRecord): string {
  const parts = [
    printable(linear.module),
    linear.scheme,
    `error ${formatNumber(linear.relativeError)}`,
    ...(linear.damping === undefined ? [] : [`damping ${formatNumber(linear.damping)}`]),
    formatDuration(linear.elapsedMs),
    ...(linear.fallback === undefined ? [] : [linear.fallback]),
  ];
  return `    ${parts.join("  ")}`;
}
