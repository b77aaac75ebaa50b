import type { Method, MethodRole } from "./define-method.ts";
import adaround from "./ptq/adaround.ts";
import arb from "./ptq/arb.ts";
import autoRound from "./ptq/auto-round.ts";
import brecq from "./ptq/brecq.ts";
import blockAp from "./qat/block-ap.ts";
import gptq from "./ptq/gptq.ts";
import hqq from "./ptq/hqq.ts";
import omniquant from "./ptq/omniquant.ts";
import rtn from "./ptq/rtn.ts";
import squeezellm from "./ptq/squeezellm.ts";
import svid from "./ptq/svid.ts";
import bitnet from "./qat/bitnet.ts";
import bnn from "./qat/bnn.ts";
import e2eQp from "./qat/e2e-qp.ts";
import llmQat from "./qat/llm-qat.ts";
import onebitKd from "./qat/onebit-kd.ts";
import paretoq from "./qat/paretoq.ts";
import xnorNet from "./qat/xnor-net.ts";
import awq from "./transforms/awq.ts";
import quarot from "./transforms/quarot.ts";
import smoothquant from "./transforms/smoothquant.ts";
import spinquant from "./transforms/spinquant.ts";

/** All methods, one line each. */
export const methods = {
  rtn,
  gptq,
  "auto-round": autoRound,
  adaround,
  brecq,
  "block-ap": blockAp,
  omniquant,
  hqq,
  squeezellm,
  svid,
  arb,
  paretoq,
  bitnet,
  "llm-qat": llmQat,
  "xnor-net": xnorNet,
  bnn,
  "e2e-qp": e2eQp,
  "onebit-kd": onebitKd,
  awq,
  smoothquant,
  quarot,
  spinquant,
} as const;

/** Ids of the methods. */
export type MethodId = keyof typeof methods;

/** Ids of the methods that stand at one place of a recipe. */
type IdOfRole<Role> = {
  [Id in MethodId]: (typeof methods)[Id]["role"] extends Role ? Id : never;
}[MethodId];

/** Lists the methods that stand at one place of a recipe. */
export function methodsInRole(role: MethodRole): Method[] {
  return Object.values<Method>(methods).filter((method) => method.role === role);
}

/** Lists their ids, as a schema's choices. */
export function idsInRole<Role extends MethodRole>(
  role: Role,
): [IdOfRole<Role>, ...IdOfRole<Role>[]] {
  return methodsInRole(role).map(({ id }) => id) as [IdOfRole<Role>, ...IdOfRole<Role>[]];
}

/** Ids of the methods that choose low-bit weights. */
export type QuantizerId = IdOfRole<"quantizer">;

/** Ids of the methods that train a quantized model further. */
export type FinisherId = IdOfRole<"finisher">;

/** Ids of the methods that prepare a block for a quantizer. */
export type TransformId = IdOfRole<"transform">;
