import { fail } from "./failure.ts";

/** How far a template may go. */
export interface TemplateLimits {
  /** Parts of the template that are evaluated, and items that are walked over. */
  readonly steps: number;
  /** Bytes of all values that are built, and of all texts that are read through. */
  readonly bytes: number;
  readonly milliseconds: number;
  /** Macros in macros, loops in recursive loops, lists in lists. */
  readonly depth: number;
}

/** What each character of the data that comes in allows besides. */
const stepsPerCharacter = 10;
const bytesPerCharacter = 256;

/** Bytes that a value takes besides its content. */
export const valueBytes = 32;

/** Bytes that an entry of a dict takes. */
export const entryBytes = 128;

/** Bytes that each part takes while a text is cut into parts, characters or matches. */
const partBytes = 48;

/**
 * Counts what a template does and stops it when that is too much. Every value is counted when it is
 * built and nothing is given back, so that the memory of a render stays below `bytes`.
 */
export class Meter {
  private readonly limits: TemplateLimits;
  private readonly startMs = performance.now();
  private steps = 0;
  private bytes = 0;
  private depth = 0;
  /** Steps and bytes that are allowed for the data that came in. */
  private moreSteps = 0;
  private moreBytes = 0;

  constructor(limits: TemplateLimits) {
    this.limits = limits;
  }

  /** Allows what data of `size` characters justify. */
  input(size: number): void {
    this.moreSteps += stepsPerCharacter * (size + valueBytes);
    this.moreBytes += bytesPerCharacter * (size + valueBytes);
  }

  /** Counts `count` steps. */
  step(count = 1): void {
    this.steps += count;
    const most = this.limits.steps + this.moreSteps;
    if (this.steps > most) {
      fail("Limit", `does not end (stopped after ${most} steps)`);
    }
    if ((this.steps & 255) === 0) this.checkTime();
  }

  /** Counts a value of `size` bytes before it is built. */
  take(size: number): void {
    this.bytes += size + valueBytes;
    const most = this.limits.bytes + this.moreBytes;
    if (!(this.bytes <= most)) {
      fail("Limit", `builds more than ${most} bytes`);
    }
    if (size > 65_536) this.checkTime();
  }

  /** Counts a text that was built or read through, and returns it. */
  text(text: string): string {
    this.take(text.length);
    return text;
  }

  /** Counts a text that is cut into at most so many parts. */
  parts(count: number): void {
    this.take(count * partBytes);
  }

  /** Runs `work` one level deeper. */
  deeper<T>(work: () => T): T {
    if (++this.depth > this.limits.depth) {
      fail("Limit", `is nested more than ${this.limits.depth} levels deep`);
    }
    try {
      return work();
    } finally {
      this.depth--;
    }
  }

  private checkTime(): void {
    if (performance.now() - this.startMs > this.limits.milliseconds) {
      fail("Limit", `does not end (stopped after ${this.limits.milliseconds / 1000} s)`);
    }
  }
}
