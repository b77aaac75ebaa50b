import type { Mutator } from "./mutator.ts";

/** Gives one changed input to fewbit. Throws what fewbit throws. */
export type RunCase = (mutator: Mutator) => Promise<void>;

/** A kind of input that fewbit reads. */
export interface Kind {
  readonly id: string;
  /** What is changed and what reads it, in a few words. */
  readonly title: string;
  /** Prepares what all cases share, in a folder of its own. */
  readonly open: (folder: string) => Promise<RunCase>;
}
