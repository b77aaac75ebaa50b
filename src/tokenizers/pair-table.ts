/** What a pair of tokens becomes. */
export interface Merge {
  /** Pairs of smaller rank are merged first. */
  readonly rank: number;
  readonly left: number;
  readonly right: number;
  readonly id: number;
}

/** Looks merges up by their two tokens: a hash table without an object for each pair. */
export class PairTable {
  private readonly merges: readonly Merge[];
  /** Index of a merge, plus one; 0 for an empty place. */
  private readonly places: Int32Array;

  /** Of two merges of one pair the later counts. */
  constructor(merges: readonly Merge[]) {
    this.merges = merges;
    this.places = new Int32Array(2 ** Math.ceil(Math.log2(2 * merges.length + 2)));
    for (const [index, { left, right }] of merges.entries()) {
      this.places[this.placeOf(left, right)] = index + 1;
    }
  }

  get(left: number, right: number): Merge | undefined {
    const found = this.places[this.placeOf(left, right)];
    return found === 0 ? undefined : this.merges[found - 1];
  }

  private placeOf(left: number, right: number): number {
    const mask = this.places.length - 1;
    let place = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 0x7f4a7c15, 0x85ebca6b)) >>> 0;
    for (place = (place ^ (place >>> 15)) & mask; ; place = (place + 1) & mask) {
      const found = this.places[place];
      if (found === 0) return place;
      const merge = this.merges[found - 1];
      if (merge.left === left && merge.right === right) return place;
    }
  }
}
