import { awq } from "./awq.ts";
import { bitnet } from "./bitnet.ts";
import { bitsandbytes } from "./bitsandbytes.ts";
import { compressedTensors } from "./compressed-tensors.ts";
import type { ForeignContainer } from "./foreign-container.ts";
import { fp8 } from "./fp8.ts";
import { gptq } from "./gptq.ts";
import { hqq } from "./hqq.ts";
import { mlx } from "./mlx.ts";
import { onebit } from "./onebit.ts";

/** All containers of other programs that are read, one line each, in the order in which they are looked for. */
export const foreignContainers: readonly ForeignContainer[] = [
  awq,
  // Takes EfficientQAT's files, too, which have no configuration.
  gptq,
  // Takes checkpoints of compressed-tensors whose codes are floats.
  fp8,
  compressedTensors,
  mlx,
  hqq,
  bitsandbytes,
  bitnet,
  onebit,
];
