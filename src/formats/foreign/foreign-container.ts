import type { QTensor } from "../../quant/q-tensor.ts";
import type { Scheme } from "../../quant/scheme.ts";
import type { Checkpoint } from "../checkpoint.ts";
import type { JsonRecord } from "../../util/json.ts";

/** A weight `[outFeatures, inFeatures]` as another program stores it. */
export interface ForeignWeight {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** The scheme that holds it as it is; null where none does. */
  readonly scheme: Scheme | null;
  /** Packs it under its scheme; only where there is one. */
  pack(): Promise<QTensor>;
  /** Decodes it to float32, as the other program does. */
  decode(): Promise<Float32Array>;
}

/** A linear layer or table that a foreign container holds. */
export interface ForeignModule {
  /** `model.layers.0.self_attn.q_proj` */
  readonly name: string;
  /** Tensors of the checkpoint that it is made of. */
  readonly tensors: readonly string[];
  /** @throws FormatError when tensors are missing, or not what the configuration says */
  readonly open: () => Promise<ForeignWeight>;
}

/** What a checkpoint of a foreign container holds. */
export interface ForeignModules {
  /** Name of the container, for people. */
  readonly title: string;
  readonly modules: readonly ForeignModule[];
  /** config.json without what belongs to the container. */
  readonly config: JsonRecord;
  /** Tensors that mean nothing to the model. */
  readonly ignored?: readonly string[];
  /** What a user should know, a line each. */
  readonly notices: readonly string[];
}

/** A way in which another program stores packed weights in safetensors files. */
export interface ForeignContainer {
  /**
   * Finds out what of a checkpoint is stored so; null where nothing is.
   * @throws FormatError where the configuration is malformed
   * @throws UnsupportedError for forms that are not read
   */
  find(checkpoint: Checkpoint): ForeignModules | null | Promise<ForeignModules | null>;
}
