import type { QuantizeOptions } from "../../src/index.ts";

/** Calibration windows, and tokens of each. */
export const windows = 16;
export const window = 512;

type WithoutOut<T> = T extends unknown ? Omit<T, "out"> : never;

/** A method, as `quantize` is asked for it and as the yardstick is. */
export interface MethodCase {
  readonly name: string;
  readonly options: WithoutOut<QuantizeOptions>;
  readonly yardstick: Readonly<Record<string, unknown>> & { readonly method: string };
}

const steps = 16;
const batch = 2;
/** Steps of trainings of the whole model: head and embedding take most of them. */
const longSteps = 4;
const whole = { steps: longSteps, batch };
const blocks = { bits: 2, group: 64 };

/** What is timed. Both sides take as many steps, of as many windows. */
export const cases: readonly MethodCase[] = [
  {
    name: "HQQ w4g64",
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
  {
    name: `SpinQuant, ${longSteps} steps`,
    options: {
      method: "rtn",
      scheme: "w4g64a8",
      transforms: [{ method: "spinquant", options: whole }],
    },
    yardstick: { method: "spinquant", ...whole },
  },
  {
    name: `ParetoQ w3-sym (LSQ), ${longSteps} steps`,
    options: { method: "paretoq", scheme: "w3-sym", options: whole },
    yardstick: { method: "paretoq", bits: 3, ...whole },
  },
  {
    name: `LLM-QAT w4a8, ${longSteps} steps`,
    options: { method: "llm-qat", scheme: "w4-syma8", options: whole },
    yardstick: { method: "llm-qat", bits: 4, ...whole },
  },
  {
    name: `BitNet w1.58, ${longSteps} steps`,
    options: { method: "bitnet", scheme: "w1.58a8", options: whole },
    yardstick: { method: "bitnet", ...whole },
  },
  {
    name: `XNOR-Net w1a1, ${longSteps} steps`,
    options: { method: "xnor-net", scheme: "w1a1", options: whole },
    yardstick: { method: "xnor-net", ...whole },
  },
  {
    name: `BNN w1a1-sign, ${longSteps} steps`,
    options: { method: "bnn", scheme: "w1a1-sign", options: whole },
    yardstick: { method: "bnn", ...whole },
  },
  {
    name: `OneBit w1-onebit, ${longSteps} steps`,
    options: {
      preset: "onebit",
      scheme: "w1-onebit",
      finishers: [{ method: "onebit-kd", options: whole }],
    },
    yardstick: { method: "onebit", ...whole },
  },
];
