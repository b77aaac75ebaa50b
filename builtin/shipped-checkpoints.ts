import { existsSync } from "node:fs";

/** A checkpoint whose training takes minutes, so that it lies in the repository. */
export interface ShippedCheckpoint {
  /** Name in tables and charts. */
  readonly name: string;
  /** Bits that the scheme is named after. */
  readonly bits: number;
  /** Folder, from the root of the repository. */
  readonly path: string;
  /** The words of `fewbit quantize` between the model and `--out`. */
  readonly words: readonly string[];
}

const data = ["--calibration", "builtin/text/calibration.txt", "--window", "256"];

const all: readonly ShippedCheckpoint[] = [];

/** Checkpoints that `npm run builtin -- checkpoints` makes. */
export function shippedCheckpoints(): readonly ShippedCheckpoint[] {
  return all;
}

/** Those of them that are there. */
export function presentCheckpoints(): ShippedCheckpoint[] {
  return all.filter(({ path }) => existsSync(path));
}
