/** A checkpoint whose training takes minutes, so that it lies in the repository. */
export interface ShippedCheckpoint {
  /** Folder, from the root of the repository. */
  readonly path: string;
  /** The words of `fewbit quantize` between the model and `--out`. */
  readonly words: readonly string[];
}

/** Checkpoints that `npm run builtin -- checkpoints` makes. */
export const shippedCheckpoints: readonly ShippedCheckpoint[] = [
  paretoq("w1.58-seq"),
  paretoq("w1-elastic"),
];

function paretoq(scheme: string): ShippedCheckpoint {
  return {
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
