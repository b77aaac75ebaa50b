/** A pair of neighbours, how often it occurs, and where. */
export interface CountedPair {
  readonly left: number;
  readonly right: number;
  readonly count: number;
  /** Words that it occurs in, or did. */
  readonly words: ReadonlySet<number>;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: Set<number>;
  /** Count in the heap: at least `count`, once the risen ones are queued; 0 when not in it. */
  queued: number;
}

interface Entry {
  readonly pair: Pair;
  readonly count: number;
}

/** Ids are smaller than this: a pair of them is a safe integer. */
const idLimit = 2 ** 26;

/**
 * Counts pairs of neighbours in words, and finds the one that occurs most often; of those that
 * occur alike, the one of smaller ids. A binary heap whose counts may be too large: they are set
 * right when they come to the top.
 */
export class PairQueue {
  private readonly pairs = new Map<number, Pair>();
  private readonly heap: Entry[] = [];
  /** Pairs that occur more often than their entry says. */
  private readonly risen = new Set<Pair>();

  /** Counts the pairs of a word that occurs `count` times. */
  addWord(index: number, symbols: readonly number[], count: number): void {
    for (let i = 1; i < symbols.length; i++) {
      const pair = this.pairOf(symbols[i - 1], symbols[i]);
      pair.count += count;
      pair.words.add(index);
      if (pair.count > pair.queued) this.risen.add(pair);
    }
  }

  /** Takes back what `addWord` counted. */
  removeWord(symbols: readonly number[], count: number): void {
    for (let i = 1; i < symbols.length; i++) {
      this.pairOf(symbols[i - 1], symbols[i]).count -= count;
    }
  }

  /** Removes the pair that occurs most often, and returns it; null when there is none. */
  takeBest(): CountedPair | null {
    for (const pair of this.risen) if (pair.count > pair.queued) this.push(pair);
    this.risen.clear();
    for (;;) {
      const top = this.pop();
      if (!top) return null;
      const { pair } = top;
      if (top.count !== pair.queued) continue;
      pair.queued = 0;
      if (pair.count === top.count) {
        this.pairs.delete(pair.left * idLimit + pair.right);
        return pair;
      }
      if (pair.count > 0) this.push(pair);
    }
  }

  private pairOf(left: number, right: number): Pair {
    const key = left * idLimit + right;
    let pair = this.pairs.get(key);
    if (!pair) {
      pair = { left, right, count: 0, words: new Set(), queued: 0 };
      this.pairs.set(key, pair);
    }
    return pair;
  }

  private push(pair: Pair): void {
    const { heap } = this;
    const entry = { pair, count: pair.count };
    pair.queued = pair.count;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!comesBefore(entry, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  private pop(): Entry | undefined {
    const { heap } = this;
    const [top] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && comesBefore(heap[child + 1], heap[child])) child++;
      if (!comesBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function comesBefore(a: Entry, b: Entry): boolean {
  if (a.count !== b.count) return a.count > b.count;
  if (a.pair.left !== b.pair.left) return a.pair.left < b.pair.left;
  return a.pair.right < b.pair.right;
}
