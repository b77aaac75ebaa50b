import type { Binding } from "../binding.ts";
import { attentionBindings } from "./attention.ts";
import { integerBindings } from "./integer.ts";
import { layerBindings } from "./layers.ts";
import { packedBindings } from "./packed.ts";
import { quantizationBindings } from "./quantization.ts";
import { trainingBindings } from "./training.ts";

/** Every kernel that has a C op. */
export const bindings: readonly Binding[] = [
  ...layerBindings,
  ...attentionBindings,
  ...packedBindings,
  ...integerBindings,
  ...quantizationBindings,
  ...trainingBindings,
];
