import type { OnnxGraph, OnnxPlace, OnnxValue } from "../../../formats/onnx/onnx-types.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import { BlockGraph } from "./block-graph.ts";
import { cacheNames } from "./cache-names.ts";
import { GraphBuilder, type Value } from "./graph-builder.ts";
import type { ComputeType } from "./matrix-plan.ts";
import { addNorm } from "./norms.ts";
import { addRotations } from "./rotation.ts";
import { addSequence, type Sequence } from "./sequence.ts";
import { addFactor, addLinear, addLookUp, type DecoderParts } from "./weights.ts";

/** A graph whose weights have no places yet. */
export interface DecoderGraph {
  /** Given the places of the data, the whole graph. */
  place(places: ReadonlyMap<string, OnnxPlace>): OnnxGraph;
}

/**
 * Builds the graph of a decoder: from ids, mask and cache to logits and the longer cache. Products
 * and cache are of the type `compute`; what goes from block to block, norms and logits are float32.
 */
export function buildDecoderGraph(model: Omit<DecoderParts, "graph">): DecoderGraph {
  const graph = new GraphBuilder();
  const parts: DecoderParts = { graph, ...model };
  const { config, compute } = model;
  const sequence = addSequence(graph, config, compute);
  const ropes = config.layers.flatMap(({ rope }) => rope ?? []);
  const rotations = addRotations(graph, ropes, sequence, compute);
  let stream = addEmbedding(parts, sequence);
  for (const index of config.layers.keys()) {
    stream = new BlockGraph(parts, index, sequence, rotations).add(stream);
  }
  addLogits(parts, stream);
  return {
    place: (places) => ({
      name: config.modelType,
      nodes: graph.nodes,
      inputs: inputsOf(config, compute),
      outputs: outputsOf(config, compute),
      initializers: graph.tensors(places),
    }),
  };
}

function inputsOf(config: DecoderConfig, compute: ComputeType): OnnxValue[] {
  return [
    { name: "input_ids", type: "i64", shape: ["batch_size", "sequence_length"] },
    { name: "attention_mask", type: "i64", shape: ["batch_size", "total_sequence_length"] },
    ...cacheValues(config, compute, "past", "past_sequence_length"),
  ];
}

function outputsOf(config: DecoderConfig, compute: ComputeType): OnnxValue[] {
  const shape = ["batch_size", "sequence_length", config.vocabularySize];
  return [
    { name: "logits", type: "f32", shape },
    ...cacheValues(config, compute, "present", "total_sequence_length"),
  ];
}

function cacheValues(
  { layers, kvHeads, headDim }: DecoderConfig,
  compute: ComputeType,
  side: "past" | "present",
  length: string,
): OnnxValue[] {
  return [...layers.keys()].flatMap((block) =>
    (["key", "value"] as const).map((what) => ({
      name: cacheNames[side](block, what),
      type: compute,
      shape: ["batch_size", kvHeads, length, headDim],
    })),
  );
}

function addEmbedding(parts: DecoderParts, { positions }: Sequence): Value {
  const { graph, config, compute } = parts;
  const { names, multipliers } = config;
  graph.within("/embedding");
  const looked = addLookUp(parts, names.embedding, "input_ids");
  const scaled = addFactor(graph, looked, multipliers.embedding);
  const wide = names.projectIn === null ? scaled : project(names.projectIn);
  if (names.positions === null || !config.positions) return wide;
  const rows = graph.add("Add", [positions, graph.ints([config.positions.first], [])]);
  return graph.add("Add", [wide, addLookUp(parts, names.positions, rows)]);

  function project(module: string): Value {
    const input = compute === "f32" ? scaled : graph.cast(scaled, compute);
    const projected = addLinear(parts, input, module);
    return compute === "f32" ? projected : graph.cast(projected, "f32");
  }
}

function addLogits(parts: DecoderParts, stream: Value): void {
  const { graph, config, compute } = parts;
  const { names, biases, multipliers, caps, tiedEmbeddings } = config;
  graph.within("/head");
  const narrow = (value: Value): Value => (compute === "f32" ? value : graph.cast(value, compute));
  let hidden = narrow(names.norm === null ? stream : addNorm(parts, stream, names.norm));
  if (names.projectOut !== null) hidden = addLinear(parts, hidden, names.projectOut);
  const table = tiedEmbeddings ? names.embedding : names.head;
  const product = addLinear(parts, hidden, table, { bias: biases.head, name: names.head });
  const wide = compute === "f32" ? product : graph.cast(product, "f32");
  const scaled = addFactor(graph, wide, multipliers.logits);
  graph.rename(caps.logits === null ? scaled : addCap(scaled, caps.logits), "logits");

  function addCap(value: Value, cap: number): Value {
    const bent = graph.add("Tanh", [graph.add("Div", [value, graph.floats([cap])])]);
    return graph.add("Mul", [bent, graph.floats([cap])]);
  }
}
