import { attentionScale, inverseFrequencies, type RopeConfig } from "../../../nn/rope.ts";
import type { GraphBuilder, Value } from "./graph-builder.ts";
import type { ComputeType } from "./matrix-plan.ts";
import type { Sequence } from "./sequence.ts";

/** Cosines and sines of all positions so far, `[total, rotated / 2]`. */
export interface RotationTables {
  readonly cos: Value;
  readonly sin: Value;
}

/**
 * Computes the tables of each way of rotating: they need not be stored then, nor end anywhere.
 * LongRoPE has other frequencies as soon as there are more tokens than it was first trained with.
 */
export function addRotations(
  graph: GraphBuilder,
  ropes: readonly RopeConfig[],
  { all, total }: Sequence,
  compute: ComputeType,
): ReadonlyMap<RopeConfig, RotationTables> {
  graph.within("/rotation");
  const counted = graph.add("Unsqueeze", [graph.cast(all, "f32"), graph.ints([1])]);
  const tables = new Map<RopeConfig, RotationTables>();
  for (const rope of new Set(ropes)) {
    const angles = graph.add("Mul", [counted, addFrequencies(graph, rope, total)]);
    const table = (op: "Cos" | "Sin"): Value => {
      const values = graph.add(op, [angles]);
      const scale = attentionScale(rope);
      const scaled = scale === 1 ? values : graph.add("Mul", [values, graph.floats([scale])]);
      return compute === "f32" ? scaled : graph.cast(scaled, "f16");
    };
    tables.set(rope, { cos: table("Cos"), sin: table("Sin") });
  }
  return tables;
}

/** The angle per position of each pair of channels, `[1, rotated / 2]`. */
function addFrequencies(graph: GraphBuilder, rope: RopeConfig, total: Value): Value {
  const row = (length: number): Value => {
    const frequencies = inverseFrequencies(rope, length);
    return graph.floats(frequencies, [1, frequencies.length]);
  };
  const { scaling } = rope;
  if (scaling?.kind !== "longrope") return row(0);
  const isLong = graph.add("Greater", [total, graph.ints([scaling.originalContext], [])]);
  return graph.add("Where", [isLong, row(scaling.originalContext + 1), row(0)]);
}

/** Rotates queries or keys `[batch, length, heads · headDim]` by the positions of their tokens. */
export function addRotation(
  graph: GraphBuilder,
  value: Value,
  { cos, sin }: RotationTables,
  options: { readonly rope: RopeConfig; readonly heads: number; readonly positions: Value },
): Value {
  const { rope, heads, positions } = options;
  const { headDim, rotated = headDim, interleaved = false } = rope;
  return graph.add("RotaryEmbedding", [value, positions, cos, sin], {
    domain: "com.microsoft",
    attributes: {
      num_heads: heads,
      rotary_embedding_dim: rotated === headDim ? 0 : rotated,
      interleaved: interleaved ? 1 : 0,
    },
  });
}
