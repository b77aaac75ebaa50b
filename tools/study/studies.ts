import type { QuantizeOptions } from "../../src/index.ts";

/** `Omit` for each part of a union by itself. */
type Without<T, Keys extends PropertyKey> = T extends unknown ? Omit<T, Keys> : never;

/** How a variant is quantized; where it is written and what it learns from belong to the study. */
export type Choice = Without<QuantizeOptions, "out" | "calibration" | "samples" | "window">;

/**
 * A model, what it is trained and measured on, and for how long. Paths start at the root of a
 * checkout.
 */
export interface Study {
  readonly model: string;
  readonly training: string;
  /** Texts to measure perplexity on; the KL divergence is that of the first. */
  readonly tests: readonly string[];
  /** Folder of multiple-choice tasks. */
  readonly tasks: string | null;
  /** Tokens a window, in training and measurement. */
  readonly window: number;
  /** Windows that methods see which do not train. */
  readonly calibrationWindows: number;
  /** Windows that methods train on, each once: 8 a step. Block-AP sees half as many, twice. */
  readonly windows: number;
  /** Windows of the test text at most. */
  readonly testWindows: number;
  /** Columns a scale, for methods with groups. */
  readonly groupSize: number;
  /** Of the distillation to 1 bit: windows, seen twice in steps of 4. */
  readonly distillationWindows: number;
  readonly learningRate: number;
}

const shared = "../shared/data";

/** The beginning of the built-in model's training text; written when it is not there. */
export const builtinTraining = ".fewbit/builtin/study.txt";

/** The studies behind the tables of trained methods. */
export const studies: Readonly<Record<string, Study>> = {
  builtin: {
    model: "builtin/model",
    training: builtinTraining,
    tests: ["builtin/text/held-out.txt", "builtin/text/validation.txt"],
    tasks: "builtin/tasks",
    window: 256,
    calibrationWindows: 128,
    windows: 2400,
    testWindows: 64,
    groupSize: 64,
    distillationWindows: 6000,
    learningRate: 1e-3,
  },
  babyllama: {
    model: `${shared}/models/babyllama-tok105`,
    training: `${shared}/text/tinystories-calibration.txt`,
    tests: [`${shared}/text/tinystories-eval.txt`],
    tasks: null,
    window: 256,
    calibrationWindows: 128,
    windows: 509,
    testWindows: 200,
    groupSize: 32,
    distillationWindows: 509,
    learningRate: 1e-3,
  },
  "prose-6m": {
    model: `${shared}/models/prose-6m`,
    training: `${shared}/text/prose/train.txt`,
    tests: [`${shared}/text/prose/test.txt`],
    tasks: null,
    window: 256,
    calibrationWindows: 128,
    windows: 1200,
    testWindows: 64,
    groupSize: 64,
    distillationWindows: 1200,
    learningRate: 1e-3,
  },
};

/** A line of a study. */
export interface Variant {
  readonly name: string;
  readonly choice: Choice;
  /** Windows of the training text. */
  readonly windows: number;
}

/** What is compared in a study, from most to fewest bits. */
export function variantsOf(study: Study): readonly Variant[] {
  const { groupSize: g, learningRate } = study;
  const chosen = (method: "rtn" | "gptq" | "svid", scheme: string): Variant => {
    const choice = { method, scheme } as Choice;
    return { name: `${method} ${scheme}`, choice, windows: study.calibrationWindows };
  };
  const trained = (method: "paretoq" | "bitnet", scheme: string, name = scheme): Variant => {
    const choice: Choice = { method, scheme, options: { epochs: 1, batch: 8, learningRate } };
    return { name: `${method} ${name}`, choice, windows: study.windows };
  };
  const half = study.windows / 2;
  return [
    chosen("gptq", `w4g${g}`),
    trained("paretoq", "w4-sym"),
    chosen("gptq", `w3g${g}`),
    trained("paretoq", "w3-sym"),
    chosen("rtn", `w2g${g}`),
    chosen("gptq", `w2g${g}`),
    chosen("gptq", "w2"),
    { name: `block-ap w2g${g}`, choice: { method: "block-ap", scheme: `w2g${g}` }, windows: half },
    {
      name: `efficientqat w2g${g}`,
      choice: { preset: "efficientqat", scheme: `w2g${g}` },
      windows: half,
    },
    trained("paretoq", "w2-seq"),
    trained("paretoq", "w2-sym", "w2-sym (LSQ)"),
    trained("paretoq", "w1.58-seq"),
    trained("bitnet", "w1.58"),
    trained("paretoq", "w1-elastic"),
    chosen("rtn", "w1"),
    chosen("gptq", "w1"),
    chosen("svid", "w1-svid"),
    chosen("svid", "w1-onebit"),
    {
      name: "onebit w1-onebit",
      choice: {
        preset: "onebit",
        scheme: "w1-onebit",
        finishers: [
          {
            method: "onebit-kd",
            options: {
              steps: Math.ceil(study.distillationWindows / 2),
              batch: 4,
              learningRate: 2 * learningRate,
            },
            data: {
              files: [{ path: study.training }],
              samples: study.distillationWindows,
              window: study.window,
            },
          },
        ],
      },
      windows: study.calibrationWindows,
    },
  ];
}
