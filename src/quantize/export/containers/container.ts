import type { JsonRecord } from "../../../util/json.ts";
import type { Scratch } from "../../../util/scratch.ts";
import type { TensorEntry } from "../../../formats/safetensors-header.ts";
import type { IntegerForm, IntegerLayer } from "./integer-layer.ts";

/** What a container has for a module. */
export interface StoredPart extends TensorEntry {
  /**
   * Makes its bytes, some at a time: each piece is used up before the next is asked for, and may lie
   * in the scratch.
   */
  readonly make: (layer: IntegerLayer, scratch: Scratch) => Iterable<ArrayBufferView>;
}

/** Layers that are written, and linears that stay floats. */
export interface StoredLayers {
  readonly forms: ReadonlyMap<string, IntegerForm>;
  readonly plain: readonly string[];
  /** Whether all forms are symmetric. */
  readonly symmetric: boolean;
}

/** A way of other programs to store packed linears in a directory of safetensors files. */
export interface Container {
  readonly id: string;
  /** What it is in a few words, for people. */
  readonly title: string;
  /** Bits of the integers that it stores. */
  readonly bits: readonly number[];
  /** Says why a form is none of the container's; null where it is one. */
  readonly refuse: (form: IntegerForm) => string | null;
  /** Tensors of a module, in their order. */
  readonly parts: (
    module: string,
    form: IntegerForm,
    layers: StoredLayers,
  ) => readonly StoredPart[];
  /** `quantization_config` of config.json. */
  readonly settings: (layers: StoredLayers) => JsonRecord;
  /** A file that says the same, for older programs. */
  readonly settingsFile?: string;
}
