import gptq from "./ptq/gptq.ts";
import rtn from "./ptq/rtn.ts";

/** All methods, one line each. */
export const methods = {
  rtn,
  gptq,
} as const;

/** Ids of the methods. */
export type MethodId = keyof typeof methods;
