import type { Prng } from "../../src/util/prng.ts";

/** What can be written as JSON. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Something that a Python library does too: cases are made here, and both answer them. */
export interface Subject {
  /** Of the command, of `answer_NAME.py` beside it (with `_` for `-`), and of `test/golden/reference-NAME.json`. */
  readonly name: string;
  /** Packages whose versions belong to the answers. */
  readonly packages: readonly string[];
  /** How many cases the stored answers cover. */
  readonly goldenCases: number;
  /** Case `index`, drawn from `random`; the first ones may be fixed. */
  makeCase(index: number, random: Prng): Json;
  /** What fewbit answers. A FewbitError is an answer too. */
  answer(input: Json): Json | Promise<Json>;
  /** Whether the answers agree, where that is not plain equality. */
  agree?(ours: Json, theirs: Json, input: Json): boolean;
  /** A file that the cases need and that is not there; null when all are. */
  missing?(): string | null;
  /** How a failing case is named in the report. */
  describe?(input: Json): string;
}

/** Draws one of `all`. */
export function choose<T>(random: Prng, all: readonly T[]): T {
  return all[random.below(all.length)];
}
