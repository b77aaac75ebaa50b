import { printable } from "../report/format.ts";
import { formatProgressLine, type Progress } from "../report/progress.ts";
import { colourStyle, type Layout, plainStyle, type Style } from "../report/style.ts";
import type { Io, TextSink } from "./io.ts";

/** How much a command says, and in which form. */
export interface Verbosity {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Redraws of the progress line closer together than this only cost time. */
const redrawMs = 100;
const usualWidth = 80;

/**
 * Where a command speaks. Results go to standard output; what it is doing goes to standard error.
 * With `--json` standard output gets one JSON document, in which notices stand too, and standard
 * error nothing but progress.
 */
export class Terminal {
  readonly io: Io;
  readonly verbosity: Verbosity;
  private readonly noticed = new Set<string>();
  private drawn = false;
  private drawnAt = Number.NEGATIVE_INFINITY;

  constructor(io: Io, verbosity: Verbosity = {}) {
    this.io = io;
    this.verbosity = verbosity;
  }

  /** Whether progress is redrawn in place, rather than logged line by line. */
  get redraws(): boolean {
    return this.io.stderr.isTTY === true && this.io.env["TERM"] !== "dumb";
  }

  /** Layout of what `results` prints. */
  get resultLayout(): Layout {
    return layoutOf(this.io.stdout, this.io);
  }

  /** Layout of what `notes` prints. */
  get noteLayout(): Layout {
    return layoutOf(this.io.stderr, this.io);
  }

  /** Colours of standard error. */
  get style(): Style {
    return this.noteLayout.style;
  }

  /** Prints what the command was run for, where it is not said as JSON. */
  results(lines: readonly string[]): void {
    if (!this.verbosity.json) this.print(this.io.stdout, lines);
  }

  /** Prints what the command is about to do, has done, or suggests next. */
  notes(lines: readonly string[]): void {
    if (!this.verbosity.json) this.log(lines);
  }

  /** Prints how far the command is, where no line is redrawn. */
  log(lines: readonly string[]): void {
    if (!this.verbosity.quiet) this.print(this.io.stderr, lines);
  }

  /** Prints what only `--verbose` shows. */
  details(lines: readonly string[]): void {
    if (this.verbosity.verbose) this.log(lines);
  }

  /** Says, once, something the user should know, though nothing went wrong. */
  notice(message: string): void {
    if (this.noticed.has(message)) return;
    this.noticed.add(message);
    this.notes([`  ${this.style("note", "accent")}  ${printable(message)}`]);
  }

  /** Prints the one JSON document, when it was asked for: an object with the notices, or a list. */
  json(document: object): void {
    if (!this.verbosity.json) return;
    this.clearProgress();
    const whole = Array.isArray(document) ? document : { ...document, notices: [...this.noticed] };
    this.io.stdout.write(`${JSON.stringify(whole, null, 2)}\n`);
  }

  /** Redraws the progress line; nothing where it cannot be redrawn, or was a moment ago. */
  progress(progress: Progress): void {
    if (this.verbosity.quiet || !this.redraws) return;
    const now = performance.now();
    if (now - this.drawnAt < redrawMs) return;
    this.drawnAt = now;
    this.drawn = true;
    this.io.stderr.write(`\r${formatProgressLine(progress, this.noteLayout)}\x1b[K`);
  }

  /** Removes the progress line. */
  clearProgress(): void {
    if (!this.drawn) return;
    this.drawn = false;
    this.io.stderr.write("\r\x1b[K");
  }

  private print(sink: TextSink, lines: readonly string[]): void {
    this.clearProgress();
    for (const line of lines) sink.write(`${line}\n`);
  }
}

/**
 * Width and colours of a stream. `COLUMNS` wins over what the terminal says. Where there is none,
 * tables are as wide as they are: another program reads them.
 */
export function layoutOf(sink: TextSink, io: Io): Layout {
  const asked = Number(io.env["COLUMNS"]);
  const width = asked >= 20 ? asked : sink.columns || usualWidth;
  const colours = sink.isTTY === true && !io.env["NO_COLOR"] && io.env["TERM"] !== "dumb";
  const style = colours ? colourStyle : plainStyle;
  return { width, style, tableWidth: sink.isTTY === true ? width : Number.POSITIVE_INFINITY };
}
