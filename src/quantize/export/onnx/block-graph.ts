import { joinedColumns } from "../../../models/decoder-attention.ts";
import type { NormKey, SlotKey } from "../../../models/decoder-names.ts";
import { blockName, type LinearPlan, linearPlans } from "../../../models/decoder-tensors.ts";
import { cacheNames } from "./cache-names.ts";
import type { Value } from "./graph-builder.ts";
import { addHeadNorm, addNorm } from "./norms.ts";
import { addRotation, type RotationTables } from "./rotation.ts";
import type { Sequence } from "./sequence.ts";
import { addFactor, addLinear, type DecoderParts } from "./weights.ts";

/** Adds a block: attention and MLP, each added to the stream. */
export class BlockGraph {
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
