import type { ScaleGroup } from "../nn/quantizable-model.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { SlotKey } from "./decoder-names.ts";

/**
 * Lists the scale groups of a block. Channels may be scaled behind a norm if all that reads it
 * belongs to the group, behind values where these have rows of their own, and behind what goes up
 * where nothing bends it: beside a gate, or through a relu.
 */
export function decoderScaleGroups(config: DecoderConfig): ScaleGroup[] {
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
  if (mlp !== undefined) {
    groups.push({ producer: mlp, producerKind: "norm", consumers: intoMlp, scope: "mlp" });
  }
  if (up !== undefined && down !== undefined && (gate !== undefined || activation === "relu")) {
    groups.push({ producer: up, producerKind: "linear", consumers: [down], scope: "consumers" });
  }
  return groups;
}

/** Value channel that feeds each column of the output projection; heads of a group share them. */
function valueChannels(heads: number, kvHeads: number, headDim: number): Int32Array {
  return Int32Array.from({ length: heads * headDim }, (_, column) => {
    const head = Math.floor(column / headDim);
    return Math.floor((head * kvHeads) / heads) * headDim + (column % headDim);
  });
}
