import type { RunChoice } from "./consequences.ts";
import { decodeWork } from "./consequences.ts";
import { joulesOf, type MachineEnergy } from "./energy.ts";
import type { MachineTable } from "./machine-table.ts";
import type { ModelShape } from "./model-shape.ts";
import {
  decodeSeconds,
  isMeasured,
  type PredictOptions,
  productSeconds,
  runWithThreads,
} from "./predict-speed.ts";
import { isFloatStorage, isLinear, storedBytes } from "./storage.ts";

/** What one layer adds to a decoded token. */
export interface LayerCost {
  readonly decodeMicroseconds: number;
  readonly joules: number;
}

/** A matrix `[outFeatures, inFeatures]`, and how often a token is multiplied by it. */
export interface CostedLayer {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Default 1; for one of 8 experts of which a token goes to 2 it is 0.25. */
  readonly used?: number;
}

/** Costs that add up over layers: what a search of schemes needs for a budget of speed or energy. */
export interface LayerCosts {
  /**
   * What a layer costs under a scheme or dtype.
   * @throws UsageError when the table has nothing of its packing
   * @throws SchemeError when the scheme does not hold its rows
   */
  cost(layer: CostedLayer, storage: string): LayerCost;
  /** Whether the table has products of a scheme's packing, or of a dtype. */
  isMeasured(storage: string): boolean;
  /** What a token costs beyond its linear layers: attention, norms, embedding, head, the step. */
  readonly constant: LayerCost;
}

/** What costs are of. */
export interface LayerCostOptions extends PredictOptions {
  readonly energy?: MachineEnergy;
}

/** What energies are counted by where nothing is said: arithmetic of 7 nm, DDR memory. */
export const usualEnergy: MachineEnergy = { arithmetic: "7nm", memory: "ddr" };

/**
 * Splits the predicted cost of a token into a sum over linear layers and a constant:
 * `constant + Σ cost(layer, scheme)` is what `decodeSeconds` predicts, and what `joulesOf` counts. A
 * target of s tokens a second is a budget of `1e6 / s` microseconds.
 * @param choice what embedding and head are stored as, the cache, and the context to decode at
 */
export function layerCosts(
  table: MachineTable,
  shape: ModelShape,
  choice: RunChoice,
  options: LayerCostOptions = {},
): LayerCosts {
  const { take = "median", energy = usualEnergy } = options;
  const run = runWithThreads(table, options.threads);
  const others = { ...shape, parts: shape.parts.filter((part) => !isLinear(part)) };
  return {
    cost: ({ outFeatures, inFeatures, used = 1 }, storage) => {
      const size = { tokens: 1, outFeatures, inFeatures };
      const seconds = used * productSeconds(run, storage, size, take);
      return {
        decodeMicroseconds: 1e6 * seconds,
        joules: layerJoules({ outFeatures, inFeatures, used }, storage, energy),
      };
    },
    isMeasured: (storage) => isMeasured(run, storage),
    constant: {
      decodeMicroseconds: 1e6 * decodeSeconds(table, others, choice, options).all,
      joules: joulesOf(decodeWork(others, choice), energy),
    },
  };
}

/** Energy of a layer in a decoded token; no machine needs to be measured for it. */
export function layerJoules(
  { outFeatures, inFeatures, used = 1 }: CostedLayer,
  storage: string,
  energy: MachineEnergy = usualEnergy,
): number {
  const bytes = used * storedBytes(storage, outFeatures, inFeatures);
  const products = used * outFeatures * inFeatures;
  const isFloat = isFloatStorage(storage);
  const floatProducts = isFloat ? products : 0;
  const integerProducts = isFloat ? 0 : products;
  return joulesOf({ bytes, floatProducts, integerProducts }, energy);
}
