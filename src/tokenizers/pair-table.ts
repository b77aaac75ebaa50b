/** What pairs of tokens become: one entry of each list for each merge. */
export interface Merges {
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** Id of the token that the pair becomes. */
  readonly made: Int32Array;
  /** Pairs of smaller rank are merged first. */
  readonly rank: Int32Array;
}

/** Looks merges up by their two tokens: a hash table without an object for each pair. */
export class PairTable {
  private readonly merges: Merges;
  /** Index of a merge, plus one; 0 for an empty place. */
  private readonly places: Int32Array;

  /** Of two merges of one pair the later counts. */
  constructor(merges: Merges) {
    const { left, right } = merges;
    this.merges = merges;
    this.places = new Int32Array(2 ** Math.ceil(Math.log2(2 * left.length + 2)));
    for (let index = 0; index < left.length; index++) {
      this.places[this.placeOf(left[index], right[index])] = index + 1;
    }
  }

  /** Returns the index of the merge of a pair, −1 where it has none. */
  find(left: number, right: number): number {
    return this.places[this.placeOf(left, right)] - 1;
  }

  private placeOf(left: number, right: number): number {
    const { places, merges } = this;
    const mask = places.length - 1;
    let place = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 0x7f4a7c15, 0x85ebca6b)) >>> 0;
    for (place = (place ^ (place >>> 15)) & mask; ; place = (place + 1) & mask) {
      const index = places[place] - 1;
      if (index < 0 || (merges.left[index] === left && merges.right[index] === right)) return place;
    }
  }
}
