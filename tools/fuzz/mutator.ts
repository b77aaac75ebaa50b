import { Prng } from "../../src/util/prng.ts";
import { changeBytes } from "./change-bytes.ts";
import { changeJson, formatRawJson } from "./change-json.ts";
import { changeText } from "./change-text.ts";

/** Most changes of one case; most cases have one. */
const mostChanges = 4;

/**
 * Makes the input of a case from a good one by a few changes, each drawn from a generator of its
 * own: so that some can be left out, to find those that matter, without altering the others.
 */
export class Mutator {
  /** Draws for what a kind does besides changing its input. */
  readonly prng: Prng;
  /** What was changed, a line each. */
  readonly changes: string[] = [];
  /** Number of changes, those that were left out included. */
  readonly count: number;
  /** Size of what was made so far. */
  inputBytes = 0;
  private readonly seed: number;
  private readonly skipped: ReadonlySet<number>;

  /** `skipped`: the changes that are left out, by their number. */
  constructor(seed: number, skipped: ReadonlySet<number> = new Set()) {
    this.seed = seed;
    this.skipped = skipped;
    this.prng = new Prng(seed);
    this.count = this.prng.below(3) > 0 ? 1 : 1 + this.prng.below(mostChanges);
  }

  /** Draws an entry of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.prng.below(list.length)];
  }

  /** Returns JSON text of a changed copy of `value`, now and then of changed text. */
  json(value: unknown): string {
    if (this.prng.below(12) === 0) return this.text(formatRawJson(value), ['"', "{", "[", ","]);
    const holder = { value: structuredClone(value) };
    this.each((prng) => changeJson(holder, prng));
    return this.noted(formatRawJson(holder.value));
  }

  /** Returns a changed value, for what takes values and not text. */
  value(value: unknown): unknown {
    const text = this.json(value);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }

  /** Returns a changed text; `words` are those that mean something in it. */
  text(text: string, words: readonly string[]): string {
    let changed = text;
    this.each((prng) => {
      const { result, what } = changeText(changed, words, prng);
      changed = result;
      return what;
    });
    return this.noted(changed);
  }

  /** Returns changed bytes. */
  bytes(bytes: Uint8Array): Uint8Array {
    let changed = bytes;
    this.each((prng) => {
      const { result, what } = changeBytes(changed, prng);
      changed = result;
      return what;
    });
    this.inputBytes += changed.length;
    return changed;
  }

  private noted(text: string): string {
    this.inputBytes += Buffer.byteLength(text);
    return text;
  }

  private each(change: (prng: Prng) => string): void {
    for (let i = 0; i < this.count; i++) {
      if (this.skipped.has(i)) continue;
      this.changes.push(change(new Prng(Math.imul(this.seed + 1, 0x9e3779b1) + i)));
    }
  }
}
