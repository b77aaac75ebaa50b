import type { TokenConstraint } from "../../runtime/serving/engine-request.ts";
import type { BlankTokens } from "./blank-tokens.ts";
import type { GrammarMatcher } from "./xgrammar.ts";

/**
 * The tokens that a grammar allows next, for one text. To be disposed of when the text is done; an
 * engine that notices later asks for nothing that matters any more.
 */
export class GrammarConstraint implements TokenConstraint {
  private readonly matcher: GrammarMatcher;
  private readonly blanks: BlankTokens;
  /** Blanks at the end of the text so far. */
  private run = 0;
  private next: Int32Array | null = null;
  /** Tokens taken so far: what is read ahead belongs to one number. */
  private count = 0;
  private isDisposed = false;
  private reading: Promise<void> = Promise.resolve();

  constructor(matcher: GrammarMatcher, blanks: BlankTokens) {
    this.matcher = matcher;
    this.blanks = blanks;
    this.reading = this.readAhead();
  }

  mask(): Int32Array {
    if (this.isDisposed)
      return this.next ?? new Int32Array(Math.ceil(this.matcher.vocab_size / 32));
    this.next ??= this.blanks.narrow(this.readNow(), this.run);
    return this.next;
  }

  accept(token: number): void {
    if (this.isDisposed) return;
    this.matcher.acceptToken(token);
    this.count++;
    this.run = this.blanks.runAfter(this.run, token);
    this.next = null;
    if (!this.isFinished()) this.reading = this.readAhead();
  }

  isFinished(): boolean {
    return this.isDisposed || this.matcher.isTerminated();
  }

  /** Gives the matcher's memory back. */
  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    void this.reading.then(() => this.matcher.dispose());
  }

  /** Copies the mask as a whole, which only the asynchronous call can, while the model runs. */
  private async readAhead(): Promise<void> {
    const { count, matcher } = this;
    // The call waits for a moment first. What is no longer wanted then must not reach the module:
    // asked for what follows the end, it gives up for good.
    const GetNextTokenBitmask = (size: number) => {
      if (this.isDisposed || this.next || count !== this.count) throw new Error("not wanted");
      return matcher.handle.GetNextTokenBitmask(size);
    };
    const guarded = { handle: { GetNextTokenBitmask }, vocab_size: matcher.vocab_size };
    try {
      const mask = await matcher.getNextTokenBitmask.call(guarded);
      if (count === this.count) this.next = this.blanks.narrow(mask, this.run);
    } catch {
      // It is read when it is asked for.
    }
  }

  /** Copies the mask number by number. */
  private readNow(): Int32Array {
    const { handle, vocab_size: size } = this.matcher;
    const vector = handle.GetNextTokenBitmask(size);
    const mask = Int32Array.from({ length: vector.size() }, (_, i) => vector.get(i));
    vector.delete();
    return mask;
  }
}
