import { rotationOrder } from "../nn/rope.ts";
import type { DecoderConfig } from "./decoder-config.ts";

/** What a forward pass without floats has no integer form of, and how a config says it has it. */
const obstacles: readonly (readonly [what: string, has: (config: DecoderConfig) => boolean])[] = [
  ["norms that take the mean away (LayerNorm)", ({ norm }) => norm.kind === "layer"],
  ["norms with biases", ({ norm }) => norm.bias],
  ["an MLP without a gate", ({ names }) => !names.slots.gate && !names.slots.gateUp],
  ["matrices that are several in one", ({ names }) => hasJoined(names.slots)],
  ["a gate other than SiLU or GELU", ({ activation }) => !["silu", "gelu"].includes(activation)],
  ["experts", ({ experts }) => experts !== undefined],
  ["attention and MLP side by side", ({ parallel }) => parallel],
  ["blocks that run several times", ({ blockRuns }) => blockRuns > 1],
  ["norms behind attention or MLP", ({ names }) => hasOuterNorms(names.norms)],
  ["norms of queries and keys across heads", hasWideHeadNorms],
  ["capped scores or logits", ({ caps }) => caps.scores !== null || caps.logits !== null],
  ["multipliers of embeddings, blocks or logits", ({ multipliers }) => !areOnes(multipliers)],
  ["learned positions", ({ positions }) => positions !== null],
  ["an embedding of another width", ({ names }) => names.projectIn !== null],
  ["blocks without rotary positions", ({ layers }) => layers.some(({ rope }) => rope === null)],
  ["heads that are rotated in part or in neighbouring pairs", hasOddRotation],
  ["frequencies that change with the length", hasChangingFrequencies],
  ["a head with a bias", ({ biases }) => biases.head],
];

/** Lists what of a model has no integer form; empty where all has. */
export function integerObstacles(config: DecoderConfig): readonly string[] {
  return obstacles.filter(([, has]) => has(config)).map(([what]) => what);
}

function hasJoined({ queryKeyValue, gateUp }: DecoderConfig["names"]["slots"]): boolean {
  return queryKeyValue !== undefined || gateUp !== undefined;
}

function hasOuterNorms(norms: DecoderConfig["names"]["norms"]): boolean {
  const { attentionOutput, mlpOutput, attentionStream, mlpStream } = norms;
  return [attentionOutput, mlpOutput, attentionStream, mlpStream].some(
    (norm) => norm !== undefined,
  );
}

function hasWideHeadNorms({ names, headNorms }: DecoderConfig): boolean {
  return names.norms.query !== undefined && headNorms !== "each";
}

function areOnes(factors: DecoderConfig["multipliers"]): boolean {
  return Object.values(factors).every((factor) => factor === 1);
}

function hasOddRotation({ layers }: DecoderConfig): boolean {
  return layers.some(({ rope }) => rope !== null && rotationOrder(rope) !== null);
}

function hasChangingFrequencies({ layers }: DecoderConfig): boolean {
  return layers.some(({ rope }) => ["dynamic", "longrope"].includes(rope?.scaling?.kind ?? ""));
}
