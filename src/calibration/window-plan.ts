/**
 * What follows the ids so far: this token, the most likely one, or one that is drawn from the
 * model's distribution as it is.
 */
export type NextToken = number | "likeliest" | "drawn";

/**
 * Says how one window comes about; asked once for each of its tokens, in their order. Null: what
 * follows does not matter.
 */
export interface WindowPlan {
  readonly next: (ids: readonly number[]) => NextToken | null;
  /** Seed of what is drawn. */
  readonly seed: number;
}

/**
 * Writes windows `[length]` together with the model that is to be quantized; passed in by the
 * caller. The first token of each is given.
 */
export type WriteWindows = (
  plans: readonly WindowPlan[],
  length: number,
) => Promise<readonly Int32Array[]>;
