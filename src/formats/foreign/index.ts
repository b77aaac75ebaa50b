import { awq } from "./awq.ts";
import { compressedTensors } from "./compressed-tensors.ts";
import type { ForeignContainer } from "./foreign-container.ts";
import { gptq } from "./gptq.ts";

/** All containers of other programs that are read, one line each. */
export const foreignContainers: readonly ForeignContainer[] = [gptq, awq, compressedTensors];
