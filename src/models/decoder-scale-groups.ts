import type { ScaleGroup, ScorePair } from "../nn/quantizable-model.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { SlotKey } from "./decoder-names.ts";
import { expertPlans, gatePlans, isSparse } from "./decoder-tensors.ts";

/**
 * Lists the scale groups of a block. Channels may be scaled behind a norm if all that reads it
 * belongs to the group, behind values where these have rows of their own, and behind what goes up
 * where nothing bends it: beside a gate, or through a relu.
 */
export function decoderScaleGroups(config: DecoderConfig, index: number): ScaleGroup[] {
  const { heads, kvHeads, headDim, names, parallel, activation } = config;
  const { attention, mlp } = names.norms;
  const { value, output, gate, up, down } = names.slots;
  const of = (...keys: SlotKey[]): string[] => keys.flatMap((key) => names.slots[key] ?? []);
  const intoAttention = of("query", "key", "value", "queryKeyValue");
  const intoMlp = of("gate", "up", "gateUp");
  const isShared = parallel && mlp === undefined;
  const groups: ScaleGroup[] = [];
  if (attention !== undefined) {
    groups.push({
      producer: attention,
      producerKind: "norm",
      consumers: isShared ? [...intoAttention, ...intoMlp] : intoAttention,
      scope: isShared ? "consumers" : "attention",
    });
  }
  if (value !== undefined && output !== undefined) {
    groups.push({
      producer: value,
      producerKind: "linear",
      consumers: [output],
      scope: "consumers",
      ...(heads !== kvHeads && { channelOf: valueChannels(heads, kvHeads, headDim) }),
    });
  }
  if (isSparse(config, index)) return [...groups, ...mixtureGroups(config)];
  if (mlp !== undefined) {
    groups.push({ producer: mlp, producerKind: "norm", consumers: intoMlp, scope: "mlp" });
  }
  if (up !== undefined && down !== undefined && (gate !== undefined || activation === "relu")) {
    groups.push({ producer: up, producerKind: "linear", consumers: [down], scope: "consumers" });
  }
  return groups;
}

/**
 * Groups of a mixture: behind the norm all experts, the MLP of every token and the gates, which read
 * it too; behind what goes up in each expert, what goes down there.
 */
function mixtureGroups(config: DecoderConfig): ScaleGroup[] {
  const plans = expertPlans(config);
  const { mlp: producer } = config.names.norms;
  if (!plans || producer === undefined) return [];
  const mlps = [...plans.experts, ...(plans.shared ? [plans.shared] : [])];
  return [
    {
      producer,
      producerKind: "norm",
      consumers: mlps.flatMap(({ gate, up }) => [gate.name, up.name]),
      gates: [...gatePlans(config)].map(({ name }) => name),
      scope: "mlp",
    },
    ...mlps.map(
      ({ up, down }): ScaleGroup => ({
        producer: up.name,
        producerKind: "linear",
        consumers: [down.name],
        scope: "consumers",
      }),
    ),
  ];
}

/**
 * The queries and keys of a block, where they have rows of their own that no norm stands behind; null
 * elsewhere.
 */
export function decoderScorePair(config: DecoderConfig, index: number): ScorePair | null {
  const { heads, kvHeads, headDim, layers, names } = config;
  const { query, key } = names.slots;
  const hasNorms = names.norms.query !== undefined || names.norms.key !== undefined;
  if (query === undefined || key === undefined || hasNorms) return null;
  const { rotated = headDim, interleaved = false } = layers[index].rope ?? { rotated: 0 };
  const pairs = rotated / 2;
  const perHead = headDim - pairs;
  const factorOf = (channel: number): number => {
    if (channel >= rotated) return pairs + channel - rotated;
    return interleaved ? Math.floor(channel / 2) : channel % pairs;
  };
  const factorsOf = (count: number): Int32Array =>
    Int32Array.from({ length: count * headDim }, (_, row) => {
      const keyHead = Math.floor((Math.floor(row / headDim) * kvHeads) / count);
      return keyHead * perHead + factorOf(row % headDim);
    });
  return {
    query,
    key,
    factors: kvHeads * perHead,
    factorOfQuery: factorsOf(heads),
    factorOfKey: factorsOf(kvHeads),
  };
}

/** Value channel that feeds each column of the output projection; heads of a group share them. */
function valueChannels(heads: number, kvHeads: number, headDim: number): Int32Array {
  return Int32Array.from({ length: heads * headDim }, (_, column) => {
    const head = Math.floor(column / headDim);
    return Math.floor((head * kvHeads) / heads) * headDim + (column % headDim);
  });
}
