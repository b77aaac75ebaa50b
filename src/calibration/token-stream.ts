/**
 * One run of ids out of pieces, such as those of a text that a tokenizer gives: no more of them are
 * asked for than are taken. The ids do not depend on how much is taken.
 */
export class TokenStream {
  private readonly pieces: Iterator<readonly number[]>;
  private held: readonly number[];
  private at = 0;
  private takenCount = 0;

  /** `startIds` come before the pieces, once. */
  constructor(pieces: Iterable<readonly number[]>, startIds: readonly number[] = []) {
    this.held = startIds;
    this.pieces = pieces[Symbol.iterator]();
  }

  /** Number of ids taken so far. */
  get taken(): number {
    return this.takenCount;
  }

  /** Fills `into` with the next ids; returns how many: fewer only at the end. */
  take(into: Int32Array): number {
    let count = 0;
    while (count < into.length) {
      if (this.at === this.held.length) {
        const next = this.pieces.next();
        if (next.done) break;
        this.held = next.value;
        this.at = 0;
      }
      const end = Math.min(this.held.length, this.at + into.length - count);
      while (this.at < end) into[count++] = this.held[this.at++];
    }
    this.takenCount += count;
    return count;
  }
}

/** Cuts a token stream into windows; the remainder at the end is dropped. */
export function* windowsOf(
  stream: TokenStream,
  length: number,
  frontIds: readonly number[] = [],
): Generator<Int32Array> {
  for (;;) {
    const window = new Int32Array(length);
    window.set(frontIds);
    const wanted = length - frontIds.length;
    if (stream.take(window.subarray(frontIds.length)) < wanted) return;
    yield window;
  }
}
