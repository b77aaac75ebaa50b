import { listNames, quoteName } from "../formats/wording.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { FormatError, UnsupportedError } from "../util/errors.ts";

/** Tensors that older checkpoints carry and every program computes by itself. */
const computed = /(?:^|\.)(?:rotary_emb\.\w+|masked_bias|attn\.bias|attention\.bias|position_ids)$/;
/** What adapters add to a layer, and what they call the layer itself. */
const adapter =
  /(?:^|\.)(?:lora_\w+|loha_\w+|lokr_\w+|hada_\w+|ia3_\w+|oft_\w+|boft_\w+|vera_\w+|base_layer|modules_to_save|prompt_encoder|prompt_embeddings)(?:\.|$)/;
/** What packed weights of blocks need besides their codes, by its usual names. */
const scale =
  /(?:^|[._])(?:scales?(?:_inv|_\d)?|absmax|quant_map|quant_state\.\w+|q?zeros|zero_points?|qweight|g_idx|SCB|codebooks?|weight_packed)$/;

/**
 * Judges the tensors of a checkpoint that its model does not use.
 * @param layers names of linears, embedding and output head
 * @returns what is to be said of those that are left out, one line each
 * @throws UnsupportedError when they show that the weights are not what the model computes with:
 * adapters that are not merged, scales and codes of a quantization that is not read
 */
export function judgeUnused(unused: readonly string[], layers: ReadonlySet<string>): string[] {
  const names = unused.filter((name) => !computed.test(name));
  expectMerged(names);
  const packed = names.filter(
    (name) => isPartOfLayer(name, layers) || (/\.\d+\./.test(name) && scale.test(name)),
  );
  if (packed.length > 0) throw notRead(packed);
  const biases = names.filter((name) => layers.has(name.replace(/\.bias$/, "")));
  const rest = names.filter((name) => !biases.includes(name));
  return [
    ...(biases.length > 0
      ? [
          `config.json asks for no biases in these layers, so they are left out: ${listNames(biases)}`,
        ]
      : []),
    ...(rest.length > 0
      ? [`tensors that do not belong to the model are left out: ${listNames(rest)}`]
      : []),
  ];
}

/** @throws UnsupportedError when tensors are those of an adapter that is not merged */
export function expectMerged(names: readonly string[]): void {
  const adapters = names.filter((name) => adapter.test(name));
  if (adapters.length > 0) throw notMerged(adapters);
}

/** Whether a tensor belongs to a layer, but is neither its weight nor its bias. */
function isPartOfLayer(name: string, layers: ReadonlySet<string>): boolean {
  for (let end = name.lastIndexOf("."); end > 0; end = name.lastIndexOf(".", end - 1)) {
    if (layers.has(name.slice(0, end))) return name.slice(end) !== ".bias";
  }
  return false;
}

function notMerged(names: readonly string[]): UnsupportedError {
  return new UnsupportedError(
    `the checkpoint holds an adapter that is not merged: ${listNames(names)}`,
    {
      hint:
        "merge it into its base model, with PEFT in Python: " +
        "model.merge_and_unload().save_pretrained(newFolder)",
    },
  );
}

function notRead(names: readonly string[]): UnsupportedError {
  return new UnsupportedError(
    `weights are stored in a way that is not read: beside them stand ${listNames(names)}`,
    { hint: "take the original checkpoint in 16 or 32 bits" },
  );
}

/**
 * Checks that the blocks which are stored are those that config.json counts.
 * @returns how many are stored; none where all have other names
 * @throws FormatError when there are more or fewer
 */
export function expectBlocks(
  { names: { blocks }, layers }: Pick<DecoderConfig, "names" | "layers">,
  names: Iterable<string>,
): number {
  const counted = layers.length;
  let stored = 0;
  for (const name of names) {
    if (!name.startsWith(`${blocks}.`)) continue;
    const index = /^(\d{1,9})\./.exec(name.slice(blocks.length + 1))?.[1];
    if (index !== undefined) stored = Math.max(stored, Number(index) + 1);
  }
  if (stored === counted || stored === 0) return stored;
  throw new FormatError(
    `config.json: num_hidden_layers is ${counted}, but the checkpoint has ${stored} blocks`,
    {
      hint:
        stored > counted
          ? `state ${stored}, or remove the blocks from ${counted} on from the weights`
          : `state ${stored}, or download the shards that are missing`,
    },
  );
}

/**
 * Checks that the experts which are stored of each mixture are as many as config.json counts.
 * @throws FormatError when there are more or fewer
 */
export function expectExperts(
  { names, experts }: Pick<DecoderConfig, "names" | "experts">,
  stored: Iterable<string>,
): void {
  if (!experts || !names.experts) return;
  const counts = new Map<string, number>();
  const place = /^(\d{1,9})\.(.*)\.(\d{1,9})\.[^.]+\.[^.]+$/;
  for (const name of stored) {
    if (!name.startsWith(`${names.blocks}.`)) continue;
    const [, block, parent, expert] = place.exec(name.slice(names.blocks.length + 1)) ?? [];
    if (parent !== names.experts.experts) continue;
    counts.set(block, Math.max(counts.get(block) ?? 0, Number(expert) + 1));
  }
  for (const [block, count] of counts) {
    if (count === experts.count) continue;
    throw new FormatError(
      `config.json counts ${experts.count} experts in a block, but block ${block} of the ` +
        `checkpoint has ${count}`,
      { hint: "check that config.json belongs to these weights and that no shard is missing" },
    );
  }
}

/**
 * Checks that nothing is missing while something else is left over, which tells more than the name
 * of what is missing.
 * @param needed names that the model needs; the first one that is missing is named
 * @param leftOver names of stored tensors that it does not use
 * @throws FormatError with both
 */
export function expectOtherNames(
  needed: Iterable<string>,
  stored: { has(name: string): boolean },
  leftOver: readonly string[],
): void {
  if (leftOver.length === 0) return;
  for (const name of needed) {
    if (stored.has(name)) continue;
    const last = name.split(".").slice(-2).join(".");
    const twin = leftOver.find((other) => other.endsWith(`.${last}`));
    const prefix = twin && !/\.\d+\./.test(twin) ? twin.slice(0, -last.length) : null;
    const found = prefix
      ? `names begin with ${quoteName(prefix)}`
      : `there are ${listNames(leftOver)}`;
    throw new FormatError(`the checkpoint has no tensor ${quoteName(name)}: ${found}`, {
      hint: "check that no shard is missing, and that names are those which transformers saves",
    });
  }
}
