import type { LinearDescription } from "../nn/quantizable-model.ts";
import type { Scheme } from "../quant/scheme.ts";

/** What a token costs, besides bytes, by the schemes of the layers that it goes through. */
export interface TokenCosts {
  /** What is counted: seconds or joules of a token. */
  readonly unit: "s" | "J";
  /** Of all but the linear layers of blocks. */
  readonly fixed: number;
  /** Of a layer under a scheme; null where that was not measured. */
  of(linear: LinearDescription, scheme: Scheme): number | null;
}

/** Tables of this machine; what is absent was not measured. */
export interface MachineCosts {
  readonly time?: TokenCosts;
  readonly energy?: TokenCosts;
}
