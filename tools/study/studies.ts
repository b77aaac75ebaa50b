import type { QuantizeOptions } from "../../src/index.ts";

/** `Omit` for each part of a union by itself. */
type Without<T, Keys extends PropertyKey> = T extends unknown ? Omit<T, Keys> : never;

/** How a variant is quantized; where it is written and what it learns from belong to the study. */
export type Choice = Without<QuantizeOptions, "out" | "calibration" | "samples" | "window">;

/** A model, what it is trained and measured on, and for how long. Paths start at the root of a checkout. */
export interface Study {
  readonly model: string;
  readonly training: string;
  readonly test: string;
  /** Folder of multiple-choice tasks. */
  readonly tasks: string | null;
  /** Tokens a window, in training and measurement. */
  readonly window: number;
  /** Windows of the training text. */
  readonly windows: number;
  /** Windows of the test text at most. */
  readonly testWindows: number;
  /** Columns a scale, for methods with groups. */
  readonly groupSize: number;
  /** Of methods that train whole models, and of the float model beside them: steps of 8 windows. */
  readonly steps: number;
  /** Of the distillation to 1 bit. */
  readonly distillationSteps: number;
  readonly learningRate: number;
}

const shared = "../shared/data";

/** The studies behind the tables of trained methods. */
export const studies: Readonly<Record<string, Study>> = {
  builtin: {
    model: "builtin/model",
    training: "builtin/text/calibration.txt",
    test: "builtin/text/held-out.txt",
    tasks: "builtin/tasks",
    window: 256,
    windows: 360,
    testWindows: 64,
    groupSize: 64,
    steps: 400,
    distillationSteps: 2000,
    learningRate: 1e-3,
  },
  babyllama: {
    model: `${shared}/models/babyllama-tok105`,
    training: `${shared}/text/tinystories-calibration.txt`,
    test: `${shared}/text/tinystories-eval.txt`,
    tasks: null,
    window: 256,
    windows: 509,
    testWindows: 200,
    groupSize: 32,
    steps: 400,
    distillationSteps: 1000,
    learningRate: 1e-3,
  },
  "prose-6m": {
    model: `${shared}/models/prose-6m`,
    training: `${shared}/text/prose/train.txt`,
    test: `${shared}/text/prose/test.txt`,
    tasks: null,
    window: 256,
    windows: 512,
    testWindows: 64,
    groupSize: 64,
    steps: 150,
    distillationSteps: 300,
    learningRate: 1e-3,
  },
};

/** What is compared in a study, from most to fewest bits. */
export function variantsOf(study: Study): ReadonlyMap<string, Choice> {
  const { groupSize: g, steps, learningRate, distillationSteps } = study;
  const trained = { options: { steps, batch: 8, learningRate } };
  const all: [string, Choice][] = [
    [`gptq w4g${g}`, { method: "gptq", scheme: `w4g${g}` }],
    ["paretoq w4-sym", { method: "paretoq", scheme: "w4-sym", ...trained }],
    [`gptq w3g${g}`, { method: "gptq", scheme: `w3g${g}` }],
    ["paretoq w3-sym", { method: "paretoq", scheme: "w3-sym", ...trained }],
    [`rtn w2g${g}`, { method: "rtn", scheme: `w2g${g}` }],
    [`gptq w2g${g}`, { method: "gptq", scheme: `w2g${g}` }],
    ["gptq w2", { method: "gptq", scheme: "w2" }],
    [`block-ap w2g${g}`, { method: "block-ap", scheme: `w2g${g}` }],
    [`efficientqat w2g${g}`, { preset: "efficientqat", scheme: `w2g${g}` }],
    ["paretoq w2-seq", { method: "paretoq", scheme: "w2-seq", ...trained }],
    ["paretoq w2-sym (LSQ)", { method: "paretoq", scheme: "w2-sym", ...trained }],
    ["paretoq w1.58-seq", { method: "paretoq", scheme: "w1.58-seq", ...trained }],
    ["bitnet w1.58", { method: "bitnet", scheme: "w1.58", ...trained }],
    ["paretoq w1-elastic", { method: "paretoq", scheme: "w1-elastic", ...trained }],
    ["rtn w1", { method: "rtn", scheme: "w1" }],
    ["gptq w1", { method: "gptq", scheme: "w1" }],
    ["svid w1-svid", { method: "svid", scheme: "w1-svid" }],
    ["svid w1-onebit", { method: "svid", scheme: "w1-onebit" }],
    [
      "onebit w1-onebit",
      {
        method: "svid",
        scheme: "w1-onebit",
        finishers: [{ method: "onebit-kd", options: { steps: distillationSteps } }],
      },
    ],
  ];
  return new Map(all);
}
