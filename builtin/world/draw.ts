import { Prng } from "../../src/util/prng.ts";

/**
 * Which combinations of words a text may use: those of the training text, those kept out of it, or
 * all.
 */
export type Split = "training" | "held-out" | "all";

/** One of this many combinations is kept out of the training text. */
const heldOutEvery = 5;

/**
 * Says whether a combination of the `first`-th word of one list with the `second`-th of another is
 * held out. Of each word's combinations with a whole list about one in five is, whatever the word.
 */
export function isHeldOut(first: number, second: number): boolean {
  return (3 * first + second) % heldOutEvery === 0;
}

/** Seeded choices of words. Combinations made by `pair` and `partner` belong to one split. */
export class Draw {
  readonly split: Split;
  private readonly random: Prng;

  constructor(seed: number, split: Split) {
    this.random = new Prng(seed);
    this.split = split;
  }

  /** Draws a whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.random.below(high - low + 1);
  }

  /** Is true with the given probability. */
  chance(probability: number): boolean {
    return this.random.uniform() < probability;
  }

  /** Draws one entry. @throws RangeError when there is none */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError("there is nothing to draw from");
    return list[this.random.below(list.length)] as T;
  }

  /** Draws one entry that is none of `others`. */
  pickOther<T>(list: readonly T[], others: readonly T[]): T {
    return this.pick(list.filter((entry) => !others.includes(entry)));
  }

  /** Draws `count` different entries, in random order. */
  some<T>(list: readonly T[], count: number): T[] {
    return this.shuffle(list).slice(0, count);
  }

  /** Returns the entries in random order (Fisher and Yates). */
  shuffle<T>(list: readonly T[]): T[] {
    const shuffled = [...list];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.random.below(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
    }
    return shuffled;
  }

  /** The entries of `seconds` that may stand with `first` in this split. */
  partners<A, B>(firsts: readonly A[], first: A, seconds: readonly B[]): B[] {
    if (this.split === "all") return [...seconds];
    const row = firsts.indexOf(first);
    return seconds.filter((_, column) => isHeldOut(row, column) === (this.split === "held-out"));
  }

  /** Draws an entry of `seconds` that may stand with `first`, and is none of `others`. */
  partner<A, B>(
    firsts: readonly A[],
    first: A,
    seconds: readonly B[],
    others: readonly B[] = [],
  ): B {
    return this.pickOther(this.partners(firsts, first, seconds), others);
  }

  /** Draws a combination of this split. */
  pair<A, B>(firsts: readonly A[], seconds: readonly B[]): readonly [A, B] {
    const first = this.pick(firsts);
    return [first, this.partner(firsts, first, seconds)];
  }
}
