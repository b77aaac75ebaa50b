import type { Shape } from "../tensor/shape.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { blockName, expertPlans, isSparse, type LinearPlan, normPlans } from "./decoder-tensors.ts";
import { fusedNames } from "./expert-config.ts";

/** A tensor that holds what several others of the model hold, one after the other. */
export interface FusedTensor {
  readonly shape: Shape;
  readonly parts: readonly {
    readonly name: string;
    readonly shape: Shape;
    readonly offset: number;
  }[];
}

/**
 * Lists the tensors that may stand in place of several: in checkpoints of transformers 5 of those of
 * experts, in GGUF files of the norms of all heads.
 */
export function fusedTensors(config: DecoderConfig): Map<string, FusedTensor> {
  const found = fusedNorms(config);
  const plans = expertPlans(config);
  const { experts, hiddenSize, names } = config;
  if (!plans || !experts || !names.experts) return found;
  const router = names.experts.router;
  for (const index of config.layers.keys()) {
    if (!isSparse(config, index)) continue;
    const block = blockName(config, index);
    const fuse = (own: string, shape: Shape, layers: readonly LinearPlan[]): void => {
      let offset = 0;
      const parts = layers.map(({ name, outFeatures, inFeatures }) => {
        const part = { name: `${block}.${name}.weight`, shape: [outFeatures, inFeatures], offset };
        offset += outFeatures * inFeatures;
        return part;
      });
      found.set(`${block}.${own}`, { shape, parts });
    };
    const width = experts.intermediateSize;
    const pairs = plans.experts.flatMap(({ gate, up }) => [gate, up]);
    const downs = plans.experts.map(({ down }) => down);
    fuse(fusedNames.gateUp, [experts.count, 2 * width, hiddenSize], pairs);
    fuse(fusedNames.down, [experts.count, hiddenSize, width], downs);
    if (`${router}.weight` === fusedNames.router) continue;
    const sender = {
      name: router,
      outFeatures: experts.count,
      inFeatures: hiddenSize,
      bias: false,
    };
    fuse(fusedNames.router, [experts.count, hiddenSize], [sender]);
  }
  return found;
}

/** Norms of queries and keys that have a tensor a head, as one tensor `[heads, headDim]`. */
function fusedNorms(config: DecoderConfig): Map<string, FusedTensor> {
  const { headDim, headNorms, layers, names } = config;
  const found = new Map<string, FusedTensor>();
  if (headNorms !== "apart") return found;
  const plans = normPlans(config).filter(([key]) => key === "query" || key === "key");
  for (const index of layers.keys()) {
    const block = blockName(config, index);
    for (const [key, plan] of plans) {
      const parts = plan.names.map((name, head) => ({
        name: `${block}.${name}.weight`,
        shape: plan.shape,
        offset: head * headDim,
      }));
      const shape = [parts.length, headDim];
      found.set(`${block}.${names.norms[key]}.weight`, { shape, parts });
    }
  }
  return found;
}
