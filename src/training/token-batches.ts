import { UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";

/** Windows of token ids, one after the other. */
export interface TokenBatch {
  readonly ids: Int32Array;
  /** Tokens a window. */
  readonly length: number;
  /** What each token is to predict, −1 for nothing; by default the next token of its window. */
  readonly targets?: Int32Array;
}

/** Windows of token ids that can be taken by their index. */
export interface Windows {
  readonly count: number;
  /** Tokens a window. */
  readonly length: number;
  /** Returns a window; it must not be written. */
  at(index: number): Int32Array;
}

/**
 * In which order windows come.
 *
 * - `random`: each is drawn from all of them, independently;
 * - `shuffled`: epochs, each of all windows in an order of its own;
 * - `sequential`: one after the other, from the front again at the end.
 */
export type WindowOrder = "random" | "shuffled" | "sequential";

/** How batches are made of windows. */
export interface BatchOptions {
  /** Windows a batch. */
  readonly size: number;
  readonly order: WindowOrder;
  /** Seed of the draws. */
  readonly seed: number;
}

/** A list of windows of one length, such as calibration gives. @throws UsageError without any */
export function listOfWindows(windows: readonly Int32Array[]): Windows {
  const [first] = windows;
  if (!first) throw new UsageError("expected at least one window of training text, got none");
  return { count: windows.length, length: first.length, at: (index) => windows[index] };
}

/**
 * Windows over one run of tokens, which begin every `stride` tokens (default: `length`, so that
 * they do not overlap; 1 makes every position a beginning). The remainder is dropped.
 * @throws UsageError when there are fewer tokens than one window needs
 */
export function windowsOver(tokens: Int32Array, length: number, stride: number = length): Windows {
  const count = Math.floor((tokens.length - length) / stride) + 1;
  if (tokens.length < length) {
    throw new UsageError(
      `the training text has ${tokens.length} tokens, not enough for one window of ${length}`,
      { hint: "give more text, or a shorter window" },
    );
  }
  const at = (index: number) => tokens.subarray(index * stride, index * stride + length);
  return { count, length, at };
}

/**
 * Batches of windows `[size, length]`. Batch number n is a function of the windows, the options and
 * n alone: a resumed run sees what it would have seen.
 */
export class TokenBatches {
  readonly size: number;
  /** Tokens a window. */
  readonly length: number;
  private readonly windows: Windows;
  private readonly options: BatchOptions;
  private epoch: { readonly number: number; readonly order: Int32Array } | null = null;

  /** @throws UsageError when the batch size is no whole number of at least 1 */
  constructor(windows: Windows, options: BatchOptions) {
    if (!Number.isSafeInteger(options.size) || options.size < 1) {
      throw new UsageError(`expected a batch of at least 1 window, got ${options.size}`);
    }
    this.windows = windows;
    this.options = options;
    this.size = options.size;
    this.length = windows.length;
  }

  /** Returns the ids of batch `number` (from 0), `[size · length]`. */
  at(number: number): Int32Array {
    const ids = new Int32Array(this.size * this.length);
    for (let i = 0; i < this.size; i++) {
      ids.set(this.windows.at(this.indexOf(number * this.size + i)), i * this.length);
    }
    return ids;
  }

  /** Index of the window that comes at `position` in the stream of all draws. */
  private indexOf(position: number): number {
    const { count } = this.windows;
    const { order, seed } = this.options;
    if (order === "sequential") return position % count;
    if (order === "random") return new Prng(mixSeed(seed, position)).below(count);
    const number = Math.floor(position / count);
    if (this.epoch?.number !== number) this.epoch = { number, order: shuffle(count, seed, number) };
    return this.epoch.order[position % count];
  }
}

/**
 * Targets of the prediction of the next token for ids `[size, length]`: the id that follows, and
 * −1, which no loss counts, at the end of each window.
 */
export function nextTokenTargets(ids: Int32Array, length: number): Int32Array {
  const targets = new Int32Array(ids.length);
  targets.set(ids.subarray(1));
  for (let end = length - 1; end < targets.length; end += length) targets[end] = -1;
  return targets;
}

/** Rows that have something to predict: those with a target. */
export function predictedRows(targets: Int32Array): Int32Array {
  return Int32Array.from(targets.keys()).filter((row) => targets[row] >= 0);
}

/** Order of an epoch (Fisher and Yates). */
function shuffle(count: number, seed: number, epoch: number): Int32Array {
  const prng = new Prng(mixSeed(seed, epoch));
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = prng.below(i + 1);
    const held = order[i];
    order[i] = order[j];
    order[j] = held;
  }
  return order;
}

/** A seed that depends on a run's seed and a number in it. */
function mixSeed(seed: number, number: number): number {
  const high = Math.floor(number / 2 ** 32);
  return (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca77) ^ high) >>> 0;
}
