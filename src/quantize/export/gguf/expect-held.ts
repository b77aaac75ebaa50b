import { findGgufFamily } from "../../../formats/gguf/gguf-family.ts";
import type { GgufTensor } from "../../../formats/gguf/gguf-header.ts";
import { GgufMetadata } from "../../../formats/gguf/gguf-metadata.ts";
import { ggmlTypeNamed } from "../../../formats/gguf/gguf-types.ts";
import { ggufModelConfig } from "../../../formats/gguf/model-config.ts";
import { longFactorsNames, ropeFactorsName } from "../../../formats/gguf/tensor-names.ts";
import type { GgufTraits } from "../../../models/architecture.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import type { DecoderNames } from "../../../models/decoder-names.ts";
import { ggufFamilies, readModelConfig } from "../../../models/index.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import type { ModelTensor } from "./list-tensors.ts";
import type { ModelMetadata } from "./model-metadata.ts";

/** What a file would say of its decoder. */
interface Contents extends Pick<ModelMetadata, "entries" | "ropeFactors"> {
  readonly tensors: readonly ModelTensor[];
}

/** What two configurations must have alike, numbers up to the rounding to float32. */
const compared = [
  "activation",
  "norm",
  "tiedEmbeddings",
  "biases",
  "headNorms",
  "joined",
  "parallel",
  "attentionScale",
  "multipliers",
  "caps",
  "positions",
  "positionSections",
  "embeddingSize",
  "experts",
] as const satisfies readonly (keyof DecoderConfig)[];

/**
 * Checks that a file says all of a decoder that fewbit reads, and has what llama.cpp loads: what has
 * no key in the metadata is in llama.cpp a part of the architecture.
 * @throws UnsupportedError naming what the file cannot hold
 */
export function expectHeld(config: DecoderConfig, gguf: GgufTraits, contents: Contents): void {
  expectLoaded(config, gguf);
  const read = readBack(gguf, contents);
  const other = compared.find((key) => !isAlike(config[key], read[key]));
  if (other !== undefined) {
    throw notHeld(
      gguf,
      `\`${other}\` ${JSON.stringify(config[other])}: they stand for ${JSON.stringify(read[other])}`,
    );
  }
  if (!isAlike(partsOf(config.names), partsOf(read.names))) {
    throw notHeld(gguf, `the layers and norms of a block of this ${config.modelType}`);
  }
  expectBlocksHeld(config, gguf, read);
}

/** Which parts a block has, whatever they are called. */
function partsOf({ slots, norms, experts }: DecoderNames): readonly string[] {
  return [slots, norms, experts ?? {}].flatMap((names) => Object.keys(names).sort());
}

function expectBlocksHeld({ layers }: DecoderConfig, gguf: GgufTraits, read: DecoderConfig): void {
  for (const [block, { rope, sparse = false }] of layers.entries()) {
    const own = read.layers[block];
    if ((rope === null) !== (own.rope === null)) {
      const how = rope ? "is" : "is not";
      throw notHeld(gguf, `a model whose block ${block} ${how} rotated by positions`);
    }
    if (sparse !== (own.sparse ?? false)) {
      throw notHeld(
        gguf,
        `a model whose block ${block} is ${sparse ? "a" : "no"} mixture of experts`,
      );
    }
  }
}

/** What fewbit would make of the file. */
function readBack(
  { architecture }: GgufTraits,
  { entries, ropeFactors, tensors }: Contents,
): DecoderConfig {
  const name = { type: "string", value: architecture } as const;
  const stated = new Map([["general.architecture", name] as const, ...entries]);
  const metadata = new GgufMetadata("the file", stated);
  const family = findGgufFamily(metadata, ggufFamilies);
  const type = ggmlTypeNamed("f32");
  const named = new Map<string, GgufTensor>();
  for (const { name, shape } of type ? tensors : []) {
    if (type) named.set(name, { name, shape, type, begin: 0, end: 0 });
  }
  const short = ropeFactors.get(longFactorsNames.short);
  const long = ropeFactors.get(longFactorsNames.long);
  return readModelConfig(
    ggufModelConfig({
      metadata,
      family,
      tensors: named,
      ropeFactors: ropeFactors.get(ropeFactorsName) ?? null,
      longFactors: short && long ? { short, long } : null,
    }),
  );
}

/** @throws UnsupportedError where llama.cpp would not load the tensors of the file */
function expectLoaded(config: DecoderConfig, traits: GgufTraits): void {
  const { tied, biases, wholeHeads, ownKeys } = traits;
  const { heads, kvHeads, headDim, hiddenSize, tiedEmbeddings } = config;
  if (tied !== undefined && tied !== tiedEmbeddings) {
    throw notHeld(traits, `\`tie_word_embeddings\` ${tiedEmbeddings}`);
  }
  const { qkv, output, mlp } = config.biases;
  if (biases !== undefined && [qkv, output, mlp].some((has) => has !== biases)) {
    throw notHeld(traits, `a model ${biases ? "without" : "with"} biases of its linear layers`);
  }
  if (wholeHeads && heads * headDim !== hiddenSize) {
    throw notHeld(traits, `heads that do not make up the hidden size (\`head_dim\` ${headDim})`);
  }
  if (ownKeys && kvHeads !== heads) {
    throw notHeld(traits, `heads that share keys (\`num_key_value_heads\` ${kvHeads} of ${heads})`);
  }
  if (traits.sectioned && !config.positionSections) {
    throw notHeld(traits, "a model without sections of positions (`mrope_section`)");
  }
}

function isAlike(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number") {
    return Math.abs(a - b) <= 1e-6 * Math.abs(a);
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) =>
    isAlike((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}

function notHeld({ architecture }: GgufTraits, what: string): UnsupportedError {
  return new UnsupportedError(`llama.cpp's ${architecture} models cannot hold ${what}`, {
    hint: "use the checkpoint with fewbit as it is, or export it with `format: hf`",
  });
}
