import { existsSync } from "node:fs";
import { join } from "node:path";

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

const all: readonly ShippedCheckpoint[] = [
  paretoq("paretoq w1.58-seq", 1.58, "w1.58-seq"),
  paretoq("paretoq w1-elastic", 1, "w1-elastic"),
];

function paretoq(name: string, bits: number, scheme: string): ShippedCheckpoint {
  return {
    name,
    bits,
    path: `builtin/checkpoints/${scheme}`,
    words: [
      "--method",
      "paretoq",
      "--scheme",
      scheme,
      "--steps",
      "300",
      "--batch",
      "4",
      "--learning-rate",
      "0.002",
      "--calibration",
      "builtin/text/calibration.txt",
      "--samples",
      "360",
      "--window",
      "256",
    ],
  };
}

/** Checkpoints that `npm run builtin -- checkpoints` makes. */
export function shippedCheckpoints(): readonly ShippedCheckpoint[] {
  return all;
}

/** Those of them that are there, with whole paths. */
export function presentCheckpoints(root: string): ShippedCheckpoint[] {
  return all
    .map((checkpoint) => ({ ...checkpoint, path: join(root, checkpoint.path) }))
    .filter(({ path }) => existsSync(path));
}
