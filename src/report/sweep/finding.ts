/** A sentence that the data of a sweep support. */
export interface Finding {
  readonly kind: "size" | "crossover" | "method" | "cost" | "scaling" | "collapse" | "caveat";
  readonly text: string;
  /** Id of the quality that it speaks of: `perplexity:test.txt`; null where of none. */
  readonly quality: string | null;
  /** Ids of the points that it rests on. */
  readonly points: readonly string[];
}
