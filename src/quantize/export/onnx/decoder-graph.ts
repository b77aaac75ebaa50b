import type { OnnxGraph, OnnxPlace, OnnxValue } from "../../../formats/onnx/onnx-types.ts";
import { joinedColumns } from "../../../models/decoder-attention.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import { blockName, type LinearPlan, linearPlans } from "../../../models/decoder-tensors.ts";
import type { NormKey, SlotKey } from "../../../models/decoder-names.ts";
import { GraphBuilder, type Value } from "./graph-builder.ts";
import type { ComputeType } from "./matrix-plan.ts";
import { addHeadNorm, addNorm } from "./norms.ts";
import { addRotation, addRotations, type RotationTables } from "./rotation.ts";
import { addSequence, type Sequence } from "./sequence.ts";
import type { TensorPlan } from "./tensor-plans.ts";
import { addFactor, addLinear, addLookUp, type DecoderParts } from "./weights.ts";

/** Names of the cache's inputs and outputs, as transformers.js and onnxruntime-genai know them. */
export const cacheNames = {
  past: (block: number | "%d", what: "key" | "value") => `past_key_values.${block}.${what}`,
  present: (block: number | "%d", what: "key" | "value") => `present.${block}.${what}`,
};

/** A graph whose weights have no places yet. */
export interface DecoderGraph {
  /** Given the places of the data, the whole graph. */
  place(places: ReadonlyMap<string, OnnxPlace>): OnnxGraph;
}

/**
 * Builds the graph of a decoder: from ids, mask and cache to logits and the longer cache. Products
 * and cache are of the type `compute`; what goes from block to block, norms and logits are float32.
 */
export function buildDecoderGraph(
  config: DecoderConfig,
  plans: ReadonlyMap<string, TensorPlan>,
  compute: ComputeType,
): DecoderGraph {
  const graph = new GraphBuilder();
  const parts: DecoderParts = { graph, config, compute, plans };
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

/** Adds a block: attention and MLP, each added to the stream. */
class BlockGraph {
  private readonly parts: DecoderParts;
  private readonly index: number;
  private readonly sequence: Sequence;
  private readonly rotations: ReadonlyMap<unknown, RotationTables>;
  private readonly linears: ReadonlyMap<SlotKey, LinearPlan>;

  constructor(
    parts: DecoderParts,
    index: number,
    sequence: Sequence,
    rotations: ReadonlyMap<unknown, RotationTables>,
  ) {
    this.parts = parts;
    this.index = index;
    this.sequence = sequence;
    this.rotations = rotations;
    this.linears = linearPlans(parts.config, index);
  }

  /** Maps the stream `[batch, length, hidden]` to the stream behind the block, both float32. */
  add(stream: Value): Value {
    const { graph, config } = this.parts;
    graph.within(`/layers.${this.index}/attention`);
    const first = this.narrow(this.norm(stream, "attention"));
    const attended = this.branch(this.attend(first), "attentionOutput");
    const middle = this.norm(graph.add("Add", [stream, attended]), "attentionStream");
    graph.within(`/layers.${this.index}/mlp`);
    const read = config.parallel ? stream : middle;
    const sharesNorm = config.parallel && config.names.norms.mlp === undefined;
    const second = sharesNorm ? first : this.narrow(this.norm(read, "mlp"));
    const projected = this.branch(this.feedForward(second), "mlpOutput");
    return this.norm(graph.add("Add", [middle, projected]), "mlpStream");
  }

  private attend(input: Value): Value {
    const { graph, config } = this.parts;
    const { heads, kvHeads, caps, attentionScale } = config;
    const { rope, window } = config.layers[this.index];
    const [q, k, v] = this.projections(input);
    const turn = (value: Value, key: "query" | "key", count: number): Value => {
      const name = config.names.norms[key];
      const normed =
        name === undefined ? value : addHeadNorm(this.parts, value, this.named(name), count);
      const tables = rope && this.rotations.get(rope);
      if (!rope || !tables) return normed;
      const { positions } = this.sequence;
      return addRotation(graph, normed, tables, { rope, heads: count, positions });
    };
    const { last, totalInt, masks } = this.sequence;
    const [mixed, key, value] = graph.addMany(
      "GroupQueryAttention",
      [
        turn(q, "query", heads),
        turn(k, "key", kvHeads),
        v,
        cacheNames.past(this.index, "key"),
        cacheNames.past(this.index, "value"),
        last,
        totalInt,
        "",
        "",
        "",
        masks.get(window) ?? "",
      ],
      3,
      {
        domain: "com.microsoft",
        attributes: {
          num_heads: heads,
          kv_num_heads: kvHeads,
          scale: { float: attentionScale },
          ...(caps.scores !== null && { softcap: { float: caps.scores } }),
        },
      },
    );
    graph.rename(key, cacheNames.present(this.index, "key"));
    graph.rename(value, cacheNames.present(this.index, "value"));
    return this.linear(mixed, "output");
  }

  private projections(input: Value): [query: Value, key: Value, value: Value] {
    const { graph, config } = this.parts;
    if (!this.linears.has("queryKeyValue")) {
      return [this.linear(input, "query"), this.linear(input, "key"), this.linear(input, "value")];
    }
    const joined = this.linear(input, "queryKeyValue");
    const [q, k, v] = joinedColumns(config).map((columns) =>
      graph.add("Gather", [joined, graph.ints([...columns])], { attributes: { axis: -1 } }),
    );
    return [q, k, v];
  }

  private feedForward(input: Value): Value {
    const { graph, config } = this.parts;
    if (this.linears.has("gateUp")) {
      const width = config.intermediateSize;
      const joined = this.linear(input, "gateUp");
      const [gate, up] = graph.addMany("Split", [joined, graph.ints([width, width])], 2, {
        attributes: { axis: -1 },
      });
      return this.linear(graph.add("Mul", [this.bend(gate), up]), "down");
    }
    const up = this.linear(input, "up");
    if (!this.linears.has("gate")) return this.linear(this.bend(up), "down");
    const gate = this.bend(this.linear(input, "gate"));
    return this.linear(graph.add("Mul", [gate, up]), "down");
  }

  private bend(value: Value): Value {
    const { graph, config } = this.parts;
    switch (config.activation) {
      case "silu":
        return graph.add("Mul", [value, graph.add("Sigmoid", [value])]);
      case "gelu":
        return graph.add("Gelu", [value], { attributes: { approximate: "none" } });
      case "gelu-tanh":
        return graph.add("Gelu", [value], { attributes: { approximate: "tanh" } });
      case "relu":
        return graph.add("Relu", [value]);
      case "relu-squared": {
        const kept = graph.add("Relu", [value]);
        return graph.add("Mul", [kept, kept]);
      }
    }
  }

  private linear(input: Value, slot: SlotKey): Value {
    const plan = this.linears.get(slot);
    if (!plan) return input;
    return addLinear(this.parts, input, this.named(plan.name), { bias: plan.bias });
  }

  /** What becomes of what attention or MLP give before it is added. */
  private branch(value: Value, key: NormKey): Value {
    const { graph, config, compute } = this.parts;
    const wide = compute === "f32" ? value : graph.cast(value, "f32");
    return addFactor(graph, this.norm(wide, key), config.multipliers.residual);
  }

  private norm(value: Value, key: NormKey): Value {
    const name = this.parts.config.names.norms[key];
    return name === undefined ? value : addNorm(this.parts, value, this.named(name));
  }

  private narrow(value: Value): Value {
    const { graph, compute } = this.parts;
    return compute === "f32" ? value : graph.cast(value, compute);
  }

  private named(name: string): string {
    return `${blockName(this.parts.config, this.index)}.${name}`;
  }
}
