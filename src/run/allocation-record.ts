import type { Difference } from "../evaluation/statistics/paired-comparison.ts";

/** One way in which layers may be stored, and what it is expected to harm. */
export interface AllocationOption {
  readonly scheme: string;
  readonly bytes: number;
  /** In the unit of the measure; only comparable within one allocation. */
  readonly damage: number;
}

/** Layers that share a scheme. */
export interface AllocatedItem {
  /** `block 3 self_attn.q_proj+k_proj+v_proj`. */
  readonly name: string;
  readonly block: number;
  readonly modules: number;
  readonly weights: number;
  /** What it got. */
  readonly scheme: string;
  readonly options: readonly AllocationOption[];
}

/** What was measured of the allocation and of a uniform scheme on windows that were held out. */
export interface UniformComparison {
  readonly scheme: string;
  readonly sizeBytes: number;
  /** Mean KL divergence from the original, nats a token. */
  readonly divergence: { readonly allocated: number; readonly uniform: number };
  readonly perplexity: { readonly allocated: number; readonly uniform: number };
  /** Of the divergence, allocated − uniform, by the paired bootstrap over windows. */
  readonly difference: Difference;
  readonly windows: number;
  readonly window: number;
  /** Which of the two is the result. */
  readonly written: "allocated" | "uniform";
}

/** How the scheme of each layer was chosen. */
export interface AllocationRecord {
  /** Hash of all that the choice depends on. */
  readonly identity: string;
  readonly targets: Readonly<Record<string, number>>;
  readonly measure: string;
  readonly search: string;
  /** Trials of the search on the model. */
  readonly trials: number;
  /** What the damages were measured on. */
  readonly text: { readonly windows: number; readonly window: number };
  /** Of the linear layers, all that is stored counted. */
  readonly bitsPerWeight: number;
  /** Of the weight files, as they will be written. */
  readonly sizeBytes: number;
  readonly damage: number;
  /** What a decoded token is expected to take; the speed only where a machine's table is asked for. */
  readonly predicted?: { readonly tokensPerSecond?: number; readonly joulesPerToken: number };
  readonly items: readonly AllocatedItem[];
  /** Schemes that embedding and output head got; null: they stay as they are. */
  readonly embedding: string | null;
  readonly head: string | null;
  /** Absent until both were measured, and where that was not wanted. */
  readonly uniform?: UniformComparison;
}
