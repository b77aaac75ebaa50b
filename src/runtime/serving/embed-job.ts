import { Job } from "./job.ts";
import type { PagedText } from "./paged-text.ts";
import type { TextResults, TextRows } from "./run-rows.ts";

/** Which final hidden states make up the vector of a text. */
export type Pooling = "mean" | "last";

/** A request for the vector of a text. */
export class EmbedJob extends Job {
  readonly result: Promise<Float32Array>;
  readonly mayReuse = false;
  readonly longestChunk = Infinity;
  readonly roomForGuesses = 0;
  private readonly pooling: Pooling;
  private sums: Float64Array | null = null;
  private settle: {
    readonly resolve: (vector: Float32Array) => void;
    readonly reject: (error: Error) => void;
  } | null = null;

  constructor(text: PagedText, pooling: Pooling, signal: AbortSignal | undefined) {
    super(text, signal);
    this.pooling = pooling;
    this.result = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
  }

  get isDone(): boolean {
    return this.text.pending === 0;
  }

  begin(): void {}

  rows(count: number): TextRows {
    return { text: this.text, count, logits: [], states: true };
  }

  take({ count }: TextRows, { states }: TextResults): number {
    const width = states.length / count;
    this.sums ??= new Float64Array(width);
    if (this.pooling === "last") this.sums.set(states.subarray(states.length - width));
    else for (let i = 0; i < states.length; i++) this.sums[i % width] += states[i];
    this.text.advance(count);
    return 0;
  }

  finish(): void {
    const sums = this.sums ?? new Float64Array(0);
    const length = Math.sqrt(sums.reduce((sum, x) => sum + x * x, 0));
    this.settle?.resolve(Float32Array.from(sums, (x) => (length === 0 ? 0 : x / length)));
  }

  fail(error: Error): void {
    this.settle?.reject(error);
  }
}
