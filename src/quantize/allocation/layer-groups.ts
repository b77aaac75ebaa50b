import type { DecoderNames } from "../../models/decoder-names.ts";
import type { LinearDescription } from "../../nn/quantizable-model.ts";
import { fittingType } from "../../quant/mixture-type.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { parseScheme, type Scheme } from "../../quant/scheme.ts";
import { sum } from "../../util/sums.ts";

/** Layers that share a scheme, and what they may get. */
export interface LayerGroup {
  /** `block 3 self_attn.q_proj+k_proj+v_proj`; `block 3 experts`. */
  readonly name: string;
  readonly block: number;
  readonly linears: readonly LinearDescription[];
  readonly options: readonly GroupOption[];
}

/** What a choice means to the layers of a group. */
export interface GroupOption {
  /** As it was chosen. */
  readonly choice: string;
  /** Of each layer: the choice, or a type of ggml that its rows are whole blocks of. */
  readonly schemes: readonly Scheme[];
  /** All that is stored. */
  readonly bytes: number;
}

/**
 * Puts layers together that should share a scheme: what reads the stream in front of attention or the
 * MLP (queries, keys and values; gate and up), and all experts of a block. A choice that a layer
 * cannot be stored in is none for its group.
 */
export function layerGroups(
  linears: readonly LinearDescription[],
  choices: readonly string[],
  names: Pick<DecoderNames, "slots">,
): LayerGroup[] {
  const { query, key, value, queryKeyValue, gate, up, gateUp } = names.slots;
  const roles = [
    [query, key, value, queryKeyValue],
    [gate, up, gateUp],
  ].map((slots) => slots.flatMap((slot) => (slot === undefined ? [] : lastPart(slot))));
  const keyOf = ({ block, slot, expert }: LinearDescription): string => {
    if (expert !== undefined) return `${block} experts`;
    const role = roles.findIndex((parts) => parts.includes(lastPart(slot)));
    return `${block} ${slot.slice(0, -lastPart(slot).length)}${role < 0 ? lastPart(slot) : role}`;
  };
  const groups = new Map<string, LinearDescription[]>();
  for (const linear of linears) {
    const own = keyOf(linear);
    groups.set(own, [...(groups.get(own) ?? []), linear]);
  }
  return [...groups.values()].map((members) => ({
    name: nameOf(members),
    block: members[0].block,
    linears: members,
    options: choices.flatMap((choice) => optionOf(choice, members)),
  }));
}

/** Weights of the layers of a group. */
export function weightsOf({ linears }: Pick<LayerGroup, "linears">): number {
  return sum(linears.map(({ outFeatures, inFeatures }) => outFeatures * inFeatures));
}

function lastPart(slot: string): string {
  return slot.slice(slot.lastIndexOf(".") + 1);
}

function nameOf(members: readonly LinearDescription[]): string {
  const [{ block, slot, expert }] = members;
  if (expert !== undefined) return `block ${block} experts`;
  const parts = members.map((member) => lastPart(member.slot)).join("+");
  return `block ${block} ${slot.slice(0, -lastPart(slot).length)}${parts}`;
}

function optionOf(choice: string, members: readonly LinearDescription[]): GroupOption[] {
  const asked = parseScheme(choice);
  const schemes = members.flatMap(({ inFeatures }): Scheme[] => {
    if (!asked.blocks) return [asked];
    const type = fittingType(asked.blocks.id, inFeatures);
    return type === "f16" || type === "bf16" ? [] : [parseScheme(type)];
  });
  if (schemes.length < members.length) return [];
  const bytes = members.map(
    ({ outFeatures, inFeatures }, i) => QTensor.sizes(schemes[i], outFeatures, inFeatures).all,
  );
  return [{ choice, schemes, bytes: sum(bytes) }];
}
