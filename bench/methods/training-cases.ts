import type { QuantizeOptions } from "../../src/index.ts";
import type { MethodId } from "../../src/methods/index.ts";

/** Windows a step: all there are, so that the first step of every side sees the same. */
export const batch = 4;
/** Steps that no run of the benchmark comes to. */
const epochs = 1000;
/** One that leaves the losses where they are; it does not change what a step takes. */
const learningRate = 1e-6;
const usual = { epochs, batch, learningRate };

type WithoutOut<T> = T extends unknown ? Omit<T, "out"> : never;

/** A training, as the method is asked for it and as the yardstick is. */
export interface TrainingCase {
  readonly name: string;
  readonly method: MethodId;
  readonly scheme: string;
  /** How the model that it begins with is quantized; null: it begins with the original. */
  readonly start: WithoutOut<QuantizeOptions> | null;
  /** Options of a method that trains the whole model; null where it trains a block. */
  readonly options: Readonly<Record<string, unknown>> | null;
  /** What the yardstick is asked for besides. */
  readonly yardstick: Readonly<Record<string, number>>;
}

/** What is timed. */
export const trainingCases: readonly TrainingCase[] = [
  {
    name: "E2E-QP w2g64",
    method: "e2e-qp",
    scheme: "w2g64",
    start: { method: "rtn", scheme: "w2g64" },
    options: { ...usual, loss: "cross-entropy", heldOut: 0 },
    yardstick: { bits: 2, group: 64 },
  },
  {
    name: "ParetoQ w3-sym (LSQ)",
    method: "paretoq",
    scheme: "w3-sym",
    start: null,
    options: usual,
    yardstick: { bits: 3 },
  },
  {
    name: "OneBit w1-onebit",
    method: "onebit-kd",
    scheme: "w1-onebit",
    start: { method: "svid", scheme: "w1-onebit" },
    options: { ...usual, kdWeight: 1 },
    yardstick: {},
  },
  {
    name: "Block-AP w2g64, the first block",
    method: "block-ap",
    scheme: "w2g64",
    start: null,
    options: null,
    yardstick: { bits: 2, group: 64 },
  },
];

/** Shapes of the linear layers whose products are timed: a block's, and the head. */
export interface ProductShapes {
  readonly rows: number;
  /** Name, output features, input features. */
  readonly shapes: readonly (readonly [name: string, columns: number, inner: number])[];
}
