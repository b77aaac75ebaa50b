import { figures } from "../evaluation/figures.ts";
import type { SweepEvent, SweepPlan } from "../sweep/sweep-events.ts";
import type { PointRecord, SweepPoint } from "../sweep/results/sweep-results.ts";
import { figureText, spreadText } from "../report/format-figure.ts";
import { formatDuration, formatPlural, formatRemaining, printable } from "../report/format.ts";
import { formatSweepPlan } from "../report/sweep/sweep-plan.ts";
import { DownloadDisplay } from "./download-display.ts";
import type { StopMessage } from "./interrupt.ts";
import type { Terminal } from "./terminal.ts";

type Counts = Extract<SweepEvent, { type: "waiting" }>["counts"];

/** Shows a sweep on standard error: a line a point that ends, and where possible a bar. */
export class SweepProgress {
  private readonly terminal: Terminal;
  private readonly download: DownloadDisplay;
  /** What is said of how each point is made. */
  private readonly commands = new Map<string, string>();
  private counts: Counts | null = null;
  private isWaiting = false;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
    this.download = new DownloadDisplay(terminal);
  }

  /** Takes the next event of the sweep. */
  handle(event: SweepEvent): void {
    const { terminal } = this;
    if (event.type === "download") return this.download.handle(event.progress);
    if (event.type === "notice") return terminal.notice(event.message);
    if (event.type === "plan") return this.plan(event.plan);
    this.counts = event.counts;
    if (event.type === "waiting") return this.wait(event.counts);
    this.isWaiting = false;
    if (event.type === "end") return this.end(event);
    if (event.type === "begin") return this.begin(event.point);
    const { activity, fraction, point, remainingMs } = event;
    terminal.progress({
      noun: "point",
      current: finished(event.counts) + 1,
      total: total(event.counts),
      fraction,
      activity: printable(`${point.model} ${point.label}: ${activity}`),
      remainingMs,
    });
  }

  /** What is said when the sweep is stopped now: what it finished, and how to resume it. */
  get whenStopped(): StopMessage {
    const { counts } = this;
    return {
      message: counts
        ? `${counts.done} of ${formatPlural(total(counts), "point")} are done and kept`
        : "nothing was begun",
      hint: "run the same command again to resume",
    };
  }

  private plan(plan: SweepPlan): void {
    for (const { point, command, estimate } of plan.points) {
      if (command === null || estimate === null) continue;
      const told = estimate.makeSeconds > 0 ? command : `was made before by  ${command}`;
      this.commands.set(point.id, printable(told));
    }
    this.terminal.notes(["", ...formatSweepPlan(plan, this.terminal.noteLayout), ""]);
    if (this.commands.size === 0) return;
    this.terminal.details(["  commands name files from the recipe's folder"]);
  }

  /** The command that makes the same checkpoint. */
  private begin({ id }: SweepPoint): void {
    const command = this.commands.get(id);
    if (command) this.terminal.details(["", `  ${command}`]);
  }

  private wait({ running }: Counts): void {
    if (this.isWaiting) return;
    this.isWaiting = true;
    const what = formatPlural(running, "point");
    this.terminal.log([`  waiting for ${what} that another process works on`]);
  }

  private end({
    record,
    again,
    elapsedMs,
    counts,
    remainingMs,
  }: Extract<SweepEvent, { type: "end" }>) {
    const { terminal } = this;
    const { point } = record;
    const parts = [
      `point ${finished(counts)}/${total(counts)}`,
      printable(`${point.model} ${point.label}`),
      ...outcome(record, again, terminal),
      formatDuration(elapsedMs),
      ...(remainingMs === null || counts.waiting === 0
        ? []
        : [`${formatRemaining(remainingMs)} left`]),
    ];
    terminal.log([`  ${parts.join("  ")}`]);
  }
}

function outcome({ result, error }: PointRecord, again: boolean, terminal: Terminal): string[] {
  if (error) {
    const label = again ? "failed, once more later" : "failed";
    return [`${terminal.style(label, "failure")}: ${printable(error.message)}`];
  }
  const [text] = result?.texts ?? [];
  const [average] = result?.averages ?? [];
  return [
    ...(text ? [`perplexity ${spreadText(figures.perplexity, text)}`] : []),
    ...(average ? [`accuracy ${figureText(figures.accuracy, average)}`] : []),
  ];
}

function finished({ done, failed }: Counts): number {
  return done + failed;
}

function total(counts: Counts): number {
  return finished(counts) + counts.running + counts.waiting;
}
