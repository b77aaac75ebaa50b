import type { HubOrigin } from "../hub/resolve-model.ts";
import type { MachineDescription } from "../platform/node.ts";
import type { Usage } from "../run/run-clock.ts";
import type { Validation } from "../training/training-store.ts";
import type { TrainConfig } from "./pretrain-config.ts";

/** A text that was read. */
export interface TextRecord {
  readonly path: string;
  readonly sha256: string;
}

/** How a training that was interrupted was resumed. */
export interface TrainResumption {
  /** When the interrupted run was last known to be at work, ISO. */
  readonly interruptedAt: string;
  readonly resumedAt: string;
  /** Steps that were done and not done again. */
  readonly step: number;
}

/** A training loss: the mean over the steps up to this one, from the entry before. */
export interface LossPoint {
  /** Steps done. */
  readonly step: number;
  readonly loss: number;
}

/** The record of a training, written to `run.json` beside the weights. */
export interface TrainRecord extends Usage {
  readonly fewbit: string;
  readonly kind: "train";
  /** The configuration with all that was filled in. */
  readonly config: TrainConfig;
  /** SHA-256 of all that the bytes of the result depend on. */
  readonly identity: string;
  /** Repository and commit of the model trained further, when it is from the Hub. */
  readonly origin: HubOrigin | null;
  readonly backend: { readonly id: string; readonly level: string; readonly threads: number };
  readonly precision: "f32" | "bf16";
  readonly machine: MachineDescription;
  readonly startedAt: string;
  readonly resumptions: readonly TrainResumption[];
  readonly texts: {
    readonly train: readonly TextRecord[];
    readonly validation: readonly TextRecord[];
  };
  /** Tokens of the training text, and tokens that were trained on. */
  readonly textTokens: number;
  readonly trainedTokens: number;
  readonly parameters: number;
  readonly steps: number;
  readonly tokensPerSecond: number;
  readonly losses: readonly LossPoint[];
  readonly validations: readonly Validation[];
  readonly sizeBytes: number;
}
