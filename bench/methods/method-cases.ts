import type { QuantizeOptions } from "../../src/index.ts";

/** Calibration windows, and tokens of each. */
export const windows = 16;
export const window = 128;

/** Products that say how fast each side multiplies: those of the head, for a step's tokens. */
export const productShape = { rows: 256, columns: 49152, inner: 576, times: 4 };

type WithoutOut<T> = T extends unknown ? Omit<T, "out"> : never;

/** A method, as `quantize` is asked for it and as the yardstick is. */
export interface MethodCase {
  readonly name: string;
  readonly options: WithoutOut<QuantizeOptions>;
  /** Whether it looks at text; left out: it does. */
  readonly usesText?: false;
  /** A run whose time is taken off; left out: RTN without text, and reading the text. */
  readonly around?: WithoutOut<QuantizeOptions>;
  readonly yardstick: Readonly<Record<string, unknown>> & { readonly method: string };
}

const steps = 16;
const batch = 2;
/** Steps of trainings of the whole model: the head takes most of them. */
const longSteps = 3;
const whole = { batch };
const blocks = { bits: 2, group: 64 };

interface Training {
  readonly name: string;
  readonly options: (whole: Record<string, unknown>) => MethodCase["options"];
  readonly yardstick: MethodCase["yardstick"];
}

/** Trainings of the whole model. Both sides count what steps behind the first take. */
const trainings: readonly Training[] = [
  {
    name: "SpinQuant w4g64a8, each step judged by a window",
    options: (run) => ({
      method: "rtn",
      scheme: "w4g64a8",
      transforms: [{ method: "spinquant", options: { ...run, heldOut: 1, recompute: false } }],
    }),
    yardstick: { method: "spinquant", held_out: 1 },
  },
  {
    name: "ParetoQ w3-sym (LSQ)",
    options: (run) => ({ method: "paretoq", scheme: "w3-sym", options: run }),
    yardstick: { method: "paretoq", bits: 3 },
  },
  {
    name: "LLM-QAT w4a8",
    options: (run) => ({ method: "llm-qat", scheme: "w4-syma8", options: run }),
    yardstick: { method: "llm-qat", bits: 4 },
  },
  {
    name: "BitNet w1.58a8",
    options: (run) => ({ method: "bitnet", scheme: "w1.58a8", options: run }),
    yardstick: { method: "bitnet" },
  },
  {
    name: "XNOR-Net w1a1",
    options: (run) => ({ method: "xnor-net", scheme: "w1a1", options: run }),
    yardstick: { method: "xnor-net" },
  },
  {
    name: "BNN w1a1-sign",
    options: (run) => ({ method: "bnn", scheme: "w1a1-sign", options: run }),
    yardstick: { method: "bnn" },
  },
  {
    name: "OneBit w1-onebit",
    options: (run) => ({
      preset: "onebit",
      scheme: "w1-onebit",
      finishers: [{ method: "onebit-kd", options: run }],
    }),
    yardstick: { method: "onebit" },
  },
];

/** What is timed. Both sides take as many steps, of as many windows. */
export const cases: readonly MethodCase[] = [
  {
    name: "HQQ w4g64",
    usesText: false,
    options: { method: "hqq", scheme: "w4g64" },
    yardstick: { method: "hqq", bits: 4, group: 64 },
  },
  {
    name: "AWQ and rounding w4g64",
    options: { method: "rtn", transforms: ["awq"], scheme: "w4g64" },
    yardstick: { method: "awq", bits: 4, group: 64 },
  },
  {
    name: "SqueezeLLM w3-codebook",
    options: { method: "squeezellm", scheme: "w3-codebook" },
    yardstick: { method: "squeezellm", bits: 3 },
  },
  {
    name: "SVID w1-svid",
    usesText: false,
    options: { method: "svid", scheme: "w1-svid" },
    yardstick: { method: "svid" },
  },
  {
    name: "ARB w1-svid, 15 rounds without signs",
    options: { method: "arb", scheme: "w1-svid", options: { iterations: 15, sweeps: 0 } },
    yardstick: { method: "arb", rounds: 15 },
  },
  {
    name: `AutoRound w2g64, ${steps} steps`,
    options: { method: "auto-round", scheme: "w2g64", options: { iters: steps, batch } },
    yardstick: { method: "auto-round", ...blocks, steps, batch },
  },
  {
    name: "OmniQuant w2g64, 2 epochs",
    options: {
      method: "omniquant",
      scheme: "w2g64",
      options: { epochs: 2, augmented: false },
    },
    yardstick: { method: "omniquant", ...blocks, epochs: 2 },
  },
  {
    name: `AdaRound w2g64, ${steps} steps a layer`,
    options: { method: "adaround", scheme: "w2g64", options: { iters: steps } },
    yardstick: { method: "adaround", ...blocks, steps, batch },
  },
  {
    name: `BRECQ w2g64, ${steps} steps`,
    options: { method: "brecq", scheme: "w2g64", options: { iters: steps, batch } },
    yardstick: { method: "brecq", ...blocks, steps, batch },
  },
  ...trainings.map(({ name, options, yardstick }) => ({
    name: `${name}, ${longSteps - 1} steps`,
    options: options({ ...whole, steps: longSteps }),
    around: options({ ...whole, steps: 1 }),
    yardstick: { ...yardstick, ...whole, steps: longSteps },
  })),
];
