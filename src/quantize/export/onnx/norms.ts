import type { Value } from "./graph-builder.ts";
import { addVector, type DecoderParts } from "./weights.ts";

/**
 * Normalises the last axis of a float32 value. An RMSNorm is spelled out in ONNX's own operators,
 * which runtimes put together again; none of these has one before version 23.
 * @param name the norm's name in the checkpoint; null: without weights
 */
export function addNorm(parts: DecoderParts, value: Value, name: string | null): Value {
  const { kind, bias } = parts.config.norm;
  const weight = name === null ? null : addVector(parts, `${name}.weight`);
  if (kind === "layer") {
    const added = name !== null && bias ? addVector(parts, `${name}.bias`) : null;
    return addLayerNorm(parts, value, weight, added);
  }
  const { graph, config } = parts;
  const squares = graph.add("Pow", [value, graph.floats([2])]);
  const mean = graph.add("ReduceMean", [squares, graph.ints([-1])], {
    attributes: { keepdims: 1 },
  });
  const root = graph.add("Sqrt", [graph.add("Add", [mean, graph.floats([config.norm.eps])])]);
  const even = graph.add("Div", [value, root]);
  return weight === null ? even : graph.add("Mul", [even, weight]);
}

function addLayerNorm(
  { graph, config }: DecoderParts,
  value: Value,
  weight: Value | null,
  bias: Value | null,
): Value {
  const { eps } = config.norm;
  const ones = (): Value => graph.floats(new Float32Array(config.headDim).fill(1));
  return graph.add(
    "LayerNormalization",
    [value, weight ?? ones(), ...(bias === null ? [] : [bias])],
    { attributes: { axis: -1, epsilon: { float: eps } } },
  );
}

/**
 * Normalises queries or keys `[batch, length, heads · headDim]`, as the family does: over each head,
 * or over all heads together.
 */
export function addHeadNorm(parts: DecoderParts, value: Value, name: string, heads: number): Value {
  const { graph, config, compute } = parts;
  const wide = compute === "f32" ? value : graph.cast(value, "f32");
  const normed = config.headNorms === "all" ? addNorm(parts, wide, name) : byHead();
  return compute === "f32" ? normed : graph.cast(normed, compute);

  function byHead(): Value {
    const { headDim, headNorms } = config;
    const split = graph.add("Reshape", [wide, graph.ints([0, 0, heads, headDim])]);
    const normedHeads =
      headNorms === "each"
        ? addNorm(parts, split, name)
        : addOwnWeights(parts, addNorm(parts, split, null), name, heads);
    return graph.add("Reshape", [normedHeads, graph.ints([0, 0, heads * headDim])]);
  }
}

/** Multiplies each head `[batch, length, heads, headDim]` by weights of its own. */
function addOwnWeights(parts: DecoderParts, heads: Value, name: string, count: number): Value {
  const { graph, config } = parts;
  if (config.headNorms === "own") {
    const scaled = graph.add("Mul", [heads, addVector(parts, `${name}.weight`)]);
    if (!config.norm.bias) return scaled;
    return graph.add("Add", [scaled, addVector(parts, `${name}.bias`)]);
  }
  const rows = Array.from({ length: count }, (_, head) => {
    const vector = addVector(parts, `${name}.${head}.weight`);
    return graph.add("Unsqueeze", [vector, graph.ints([0])]);
  });
  const weights = graph.add("Concat", rows, { attributes: { axis: 0 } });
  return graph.add("Mul", [heads, weights]);
}
