/*
 * Names in both directions: a module of a Hugging Face checkpoint and the same module in a GGUF
 * file. What follows the module's name (`.weight`, `.bias`) is the same in both.
 * Source: gguf-py's tensor_mapping.py, and `modify_tensors` of llama.cpp's converter.
 */

/** The layers of an MLP with a gate. */
interface MlpNames {
  readonly gate: string;
  readonly up: string;
  readonly down: string;
}

/** What a family calls its modules, by what they are; null and absent where it has none. */
export interface CheckpointNames {
  /** In front of the names of blocks: block i is `blocks.i`. */
  readonly blocks: string;
  /** Linear layers, by names below the block. */
  readonly slots: Readonly<Partial<Record<keyof typeof slotNames, string>>>;
  /** Norms, by names below the block. */
  readonly norms: Readonly<Partial<Record<string, string>>>;
  /** Parts of blocks that are mixtures; absent where no block is one. */
  readonly experts?: {
    readonly router: string;
    /** In front of the names of experts: expert i is `experts.i`. */
    readonly experts: string;
    /** Layers of an expert, by names below it. */
    readonly layers: MlpNames;
    /** Layers of the MLP for every token, and what says how much of it is added. */
    readonly shared?: MlpNames;
    readonly sharedGate?: string;
  };
  readonly embedding: string;
  readonly positions: string | null;
  readonly norm: string | null;
  readonly head: string;
}

/** Linear layers in GGUF files, by what they are. A joined gate and up stands for up. */
const slotNames = {
  query: "attn_q",
  key: "attn_k",
  value: "attn_v",
  queryKeyValue: "attn_qkv",
  output: "attn_output",
  gate: "ffn_gate",
  up: "ffn_up",
  gateUp: "ffn_up",
  down: "ffn_down",
} as const;

/** Norms in GGUF files, by what they are of. */
const normNames: Readonly<Record<string, string>> = {
  attention: "attn_norm",
  mlp: "ffn_norm",
  query: "attn_q_norm",
  key: "attn_k_norm",
  attentionOutput: "post_attention_norm",
  mlpOutput: "post_ffw_norm",
};

/** Layers of an MLP in GGUF files; their names go on with what the MLP is. */
const mlpNames: Readonly<Record<keyof MlpNames, string>> = {
  gate: "ffn_gate",
  up: "ffn_up",
  down: "ffn_down",
};

/** Module of a block whose weight says how much of the MLP for every token is added: a vector. */
export const sharedGateName = "ffn_gate_inp_shexp";

/** Tensor of llama.cpp that divides the frequencies of the rotation; no module of a checkpoint. */
export const ropeFactorsName = "rope_freqs.weight";

/** Tensors of the factors of LongRoPE, within the original context and beyond it. */
export const longFactorsNames = {
  short: "rope_factors_short.weight",
  long: "rope_factors_long.weight",
} as const;

/** Where a module of a checkpoint is found in a GGUF file. */
export interface GgufModulePlace {
  /** Name of the module there. */
  readonly name: string;
  /** Which matrix of a stack it is, one for each expert; null where it is all. */
  readonly expert: number | null;
}

/** A layer of one expert, or of a stack. */
type ExpertLayer = readonly [layer: keyof MlpNames, expert: number];

/** Names of modules in GGUF files by those in checkpoints, and back. */
export class GgufNames {
  private readonly blocks: string;
  private readonly outer: ReadonlyMap<string, string>;
  private readonly inner: ReadonlyMap<string, string>;
  private readonly experts: CheckpointNames["experts"];

  constructor(names: CheckpointNames) {
    const { blocks, slots, norms, experts, embedding, positions, norm, head } = names;
    this.experts = experts;
    this.blocks = `${blocks}.`;
    this.outer = pairs([
      [embedding, "token_embd"],
      [positions, "position_embd"],
      [norm, "output_norm"],
      [head, "output"],
    ]);
    this.inner = pairs([
      ...named(slots, slotNames),
      ...named(norms, normNames),
      [experts?.router, "ffn_gate_inp"],
      [experts?.sharedGate, sharedGateName],
      ...mlpPairs(experts?.shared, "_shexp"),
    ]);
  }

  /**
   * Returns a module's name in GGUF files, null where it has none: `blk.3.attn_q`. Of a layer of an
   * expert it is that of the stack of all experts: `blk.3.ffn_up_exps`.
   */
  toGguf(module: string): string | null {
    return this.place(module)?.name ?? null;
  }

  /** Says where a module is found in GGUF files; null where they have no place for it. */
  place(module: string): GgufModulePlace | null {
    const inner = module.startsWith(this.blocks) ? module.slice(this.blocks.length) : "";
    const block = /^(\d+)\.(.+)$/.exec(inner);
    if (!block) {
      const name = this.outer.get(module);
      return name === undefined ? null : { name, expert: null };
    }
    const layer = this.expertLayer(block[2]);
    const name = layer ? `${mlpNames[layer[0]]}_exps` : this.inner.get(block[2]);
    return name === undefined
      ? null
      : { name: `blk.${block[1]}.${name}`, expert: layer ? layer[1] : null };
  }

  /**
   * Returns the name that a module of a GGUF file has in checkpoints, null where it has none. Files
   * of 2023 have a module for each layer of an expert: `blk.3.ffn_up.7`.
   */
  toCheckpoint(module: string): string | null {
    const block = /^blk\.(\d+)\.(.+)$/.exec(module);
    if (!block) return keyOf(this.outer, module);
    const name = keyOf(this.inner, block[2]) ?? this.expertName(block[2]);
    return name === null ? null : `${this.blocks}${block[1]}.${name}`;
  }

  /**
   * Returns the layers, in checkpoints, that matrix `expert` of a stack is: one, or gate and up
   * joined; null where a module is no stack.
   */
  ofStack(module: string, expert: number): string[] | null {
    const found = /^blk\.(\d+)\.ffn_(gate|up|down|gate_up)_exps$/.exec(module);
    const own = this.experts;
    if (!found || !own) return null;
    const keys = found[2] === "gate_up" ? (["gate", "up"] as const) : [found[2] as keyof MlpNames];
    const block = `${this.blocks}${found[1]}`;
    return keys.map((key) => `${block}.${own.experts}.${expert}.${own.layers[key]}`);
  }

  /** The layer of an expert that a name below the block in checkpoints is; null if it is none. */
  private expertLayer(inner: string): ExpertLayer | null {
    const own = this.experts;
    if (!own || !inner.startsWith(`${own.experts}.`)) return null;
    const found = /^(\d+)\.(.+)$/.exec(inner.slice(own.experts.length + 1));
    const layer = found && mlpKeys.find((key) => own.layers[key] === found[2]);
    return layer ? [layer, Number(found[1])] : null;
  }

  /** The name below the block, in checkpoints, of a module that is of one expert only. */
  private expertName(inner: string): string | null {
    const found = /^(ffn_(?:gate|up|down))\.(\d+)$/.exec(inner);
    const layer = found && mlpKeys.find((key) => mlpNames[key] === found[1]);
    if (!layer || !this.experts) return null;
    return `${this.experts.experts}.${found[2]}.${this.experts.layers[layer]}`;
  }
}

const mlpKeys = Object.keys(mlpNames) as (keyof MlpNames)[];

function mlpPairs(mlp: MlpNames | undefined, ending: string) {
  return mlpKeys.map((key) => [mlp?.[key], mlpNames[key] + ending] as const);
}

function named(
  own: Readonly<Partial<Record<string, string>>>,
  gguf: Readonly<Record<string, string>>,
): (readonly [string | undefined, string])[] {
  return Object.entries(gguf).map(([key, name]) => [own[key], name]);
}

function pairs(all: readonly (readonly [string | null | undefined, string])[]) {
  return new Map(all.flatMap(([own, gguf]) => (own ? [[own, gguf] as const] : [])));
}

function keyOf(map: ReadonlyMap<string, string>, value: string): string | null {
  for (const [key, each] of map) if (each === value) return key;
  return null;
}

/** Takes a tensor's name apart: `blk.0.attn_q.weight` into the module and `.weight`. */
export function splitTensorName(name: string): readonly [module: string, ending: string] {
  const dot = name.lastIndexOf(".");
  return dot < 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot)];
}
