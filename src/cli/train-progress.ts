import type { TrainEvent } from "../index.ts";
import { formatCount, formatMoment, formatNumber } from "../report/format.ts";
import { formatProgressLog, type Progress } from "../report/progress.ts";
import { formatTrainPlan } from "../report/train-summary.ts";
import { DownloadDisplay } from "./download-display.ts";
import type { StopMessage } from "./interrupt.ts";
import type { Terminal } from "./terminal.ts";

type StepEvent = Extract<TrainEvent, { readonly type: "step" }>;

/** About how many lines of a training a log gets, and one for each validation besides. */
const logLines = 50;

/** Shows a training on standard error: a bar where it can be redrawn, else some lines. */
export class TrainProgress {
  private readonly terminal: Terminal;
  private readonly download: DownloadDisplay;
  private done = 0;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
    this.download = new DownloadDisplay(terminal);
  }

  /** Takes the next event of the run. */
  handle(event: TrainEvent): void {
    const { terminal } = this;
    if (event.type === "download") this.download.handle(event.progress);
    else if (event.type === "preparing") terminal.details([`  ${event.activity}`]);
    else if (event.type === "notice") terminal.notice(event.message);
    else if (event.type === "step") this.step(event);
    else if (event.type === "plan") {
      terminal.notes(["", ...formatTrainPlan(event.plan, terminal.noteLayout), ""]);
    } else if (event.type === "resumed") {
      this.done = event.step;
      const when = formatMoment(new Date(event.interruptedAt), new Date());
      const at = `step ${event.step} of ${event.steps}`;
      terminal.log([`  resuming after ${at} of a run interrupted ${when}`, ""]);
    } else terminal.clearProgress();
  }

  /** What is said when the run is stopped now: what it finished, and how to resume it. */
  get whenStopped(): StopMessage {
    if (this.done === 0) {
      return { message: "nothing was written", hint: "run the same command again to start over" };
    }
    return {
      message: `the state after step ${this.done} is kept`,
      hint: "run the same command again to resume, or with --restart to start over",
    };
  }

  private step(event: StepEvent): void {
    const { terminal } = this;
    const { step, steps, validation } = event;
    this.done = step;
    if (terminal.redraws) terminal.progress(progressOf(event));
    const every = terminal.redraws ? steps : Math.max(1, Math.ceil(steps / logLines));
    if (step % every !== 0 && step !== 1 && validation === null) return;
    const details = [
      `loss ${formatNumber(event.smoothedLoss, 4)}`,
      ...(validation === null ? [] : [`validation ${formatNumber(validation, 4)}`]),
      `${formatCount(Math.round(event.tokensPerSecond))} tokens/s`,
    ];
    terminal.log([`  ${formatProgressLog(progressOf(event), details)}`]);
  }
}

function progressOf(event: StepEvent): Progress {
  const { step, steps, smoothedLoss, tokensPerSecond, remainingMs } = event;
  return {
    noun: "step",
    current: step,
    total: steps,
    fraction: step / steps,
    activity: `${formatCount(Math.round(tokensPerSecond))} tokens/s`,
    figure: { name: "loss", value: smoothedLoss },
    remainingMs,
  };
}
