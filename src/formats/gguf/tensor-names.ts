/*
 * Names and order of rows, in both directions: a module of a Hugging Face checkpoint and the same
 * module in a GGUF file. What follows the module's name (`.weight`, `.bias`) is the same in both.
 * Source: gguf-py's tensor_mapping.py and `LlamaModel.permute` of llama.cpp's converter.
 */

/** Modules outside the blocks. */
const outer: readonly (readonly [hf: string, gguf: string])[] = [
  ["model.embed_tokens", "token_embd"],
  ["model.norm", "output_norm"],
  ["lm_head", "output"],
];

/** Modules of a block: behind `model.layers.N.` and behind `blk.N.`. */
const inner: readonly (readonly [hf: string, gguf: string])[] = [
  ["input_layernorm", "attn_norm"],
  ["self_attn.q_proj", "attn_q"],
  ["self_attn.k_proj", "attn_k"],
  ["self_attn.v_proj", "attn_v"],
  ["self_attn.o_proj", "attn_output"],
  ["self_attn.q_norm", "attn_q_norm"],
  ["self_attn.k_norm", "attn_k_norm"],
  ["post_attention_layernorm", "ffn_norm"],
  ["mlp.gate_proj", "ffn_gate"],
  ["mlp.up_proj", "ffn_up"],
  ["mlp.down_proj", "ffn_down"],
];

const ggufOf = { outer: new Map(outer), inner: new Map(inner) };
const reversed = (pairs: typeof outer) => new Map(pairs.map(([hf, gguf]) => [gguf, hf] as const));
const hfOf = { outer: reversed(outer), inner: reversed(inner) };

/** Tensor of llama.cpp that divides the frequencies of the rotation; no module of a checkpoint. */
export const ropeFactorsName = "rope_freqs.weight";

/** Returns a module's name in GGUF files, null where it has none: `blk.3.attn_q`. */
export function ggufModuleName(module: string): string | null {
  const block = /^model\.layers\.(\d+)\.(.+)$/.exec(module);
  if (!block) return ggufOf.outer.get(module) ?? null;
  const name = ggufOf.inner.get(block[2]);
  return name === undefined ? null : `blk.${block[1]}.${name}`;
}

/** Returns the name that a module of a GGUF file has in checkpoints, null where it has none. */
export function hfModuleName(module: string): string | null {
  const block = /^blk\.(\d+)\.(.+)$/.exec(module);
  if (!block) return hfOf.outer.get(module) ?? null;
  const name = hfOf.inner.get(block[2]);
  return name === undefined ? null : `model.layers.${block[1]}.${name}`;
}

/** Takes a tensor's name apart: `blk.0.attn_q.weight` into the module and `.weight`. */
export function splitTensorName(name: string): readonly [module: string, ending: string] {
  const dot = name.lastIndexOf(".");
  return dot < 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot)];
}

/**
 * Returns how many heads lie among the rows of a module whose order differs where the architecture
 * permutes queries and keys; null for all other modules.
 * @param module its name in checkpoints
 */
export function permutedHeads(
  module: string,
  { heads, kvHeads }: { readonly heads: number; readonly kvHeads: number },
): number | null {
  if (module.endsWith(".self_attn.q_proj")) return heads;
  return module.endsWith(".self_attn.k_proj") ? kvHeads : null;
}

/**
 * Returns for each row of a module of a checkpoint its place in a GGUF file. Row
 * `h·D + p·D/2 + i` of head h, of width D, half p, is row `h·D + 2i + p` of the file: the two
 * channels that a rotation turns lie side by side there.
 */
export function ggufRows(rows: number, heads: number): Uint32Array {
  const places = new Uint32Array(rows);
  const half = rows / heads / 2;
  for (let head = 0, row = 0; head < heads; head++) {
    for (let part = 0; part < 2; part++) {
      for (let i = 0; i < half; i++, row++) places[row] = head * 2 * half + 2 * i + part;
    }
  }
  return places;
}

/** Returns for each row of a module of a GGUF file its place in a checkpoint. */
export function hfRows(rows: number, heads: number): Uint32Array {
  const places = new Uint32Array(rows);
  ggufRows(rows, heads).forEach((place, row) => {
    places[place] = row;
  });
  return places;
}
