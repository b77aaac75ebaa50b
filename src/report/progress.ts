import { formatNumber, formatRemaining } from "./format.ts";
import type { Layout } from "./style.ts";
import { cut, textWidth } from "./table.ts";

/** One moment of a long job. */
export interface Progress {
  /** What is counted: `block`, `window`. */
  readonly noun: string;
  /** Number of the one at work, from 1. */
  readonly current: number;
  readonly total: number;
  /** Share of the whole work that is done, 0 to 1. */
  readonly fraction: number;
  /** What is being done now. */
  readonly activity?: string;
  /** A figure of what was last done, such as `{ name: "error", value: 0.0213 }`. */
  readonly figure?: { readonly name: string; readonly value: number } | null;
  /** Null while there is nothing to estimate it from. */
  readonly remainingMs: number | null;
}

const barWidths = [24, 12] as const;
const activityWidth = 18;

/**
 * Draws the line that is redrawn in place on a terminal:
 * `  block 4/6  ████████████████░░░░░░░░  mlp.down_proj   error 0.0213   4.1 s left`. On narrow
 * terminals the bar shrinks, then the activity, the figure and the bar go; it never exceeds
 * `layout.width − 1`, so that the cursor stays on the line.
 */
export function formatProgressLine(progress: Progress, layout: Layout): string {
  const { style } = layout;
  const room = layout.width - 1;
  const head = `${progress.noun} ${progress.current}/${progress.total}`;
  const left = progress.remainingMs === null ? "" : `${formatRemaining(progress.remainingMs)} left`;
  const figure = progress.figure
    ? `${progress.figure.name} ${formatNumber(progress.figure.value)}`
    : "";
  // Padded, so that what follows does not jump about.
  const activity = progress.activity
    ? cut(progress.activity, activityWidth, "end").padEnd(activityWidth)
    : "";
  const variants: readonly (readonly [number, string, string])[] = [
    [barWidths[0], activity, figure],
    [barWidths[1], activity, figure],
    [barWidths[1], "", figure],
    [barWidths[1], "", ""],
    [0, "", ""],
  ];
  for (const [barWidth, what, value] of variants) {
    const bar = drawBar(progress.fraction, barWidth);
    const tail = [what, value, left].filter((part) => part !== "").join("   ");
    const plain = ["", head, bar, tail].filter((part, i) => i === 0 || part !== "").join("  ");
    if (textWidth(plain) > room && barWidth > 0) continue;
    if (bar === "") return cut(plain, room);
    const filled = bar.replace(/░+$/, "");
    return plain.replace(bar, style(filled, "accent") + style(bar.slice(filled.length), "dim"));
  }
  return "";
}

/**
 * Formats the plain line that a log gets for each thing done, its details between what and when:
 * `block 4/6  error 0.0213 (worst 0.0310, mlp.down_proj)  4.1 s left`.
 */
export function formatProgressLog(progress: Progress, details: readonly string[]): string {
  const left =
    progress.remainingMs === null || progress.current >= progress.total
      ? []
      : [`${formatRemaining(progress.remainingMs)} left`];
  return [`${progress.noun} ${progress.current}/${progress.total}`, ...details, ...left].join("  ");
}

function drawBar(fraction: number, width: number): string {
  const share = Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
  const filled = Math.floor(share * width + 1e-9);
  return "█".repeat(filled) + "░".repeat(width - filled);
}
