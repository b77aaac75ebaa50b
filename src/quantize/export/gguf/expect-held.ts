import type { GgufTensor } from "../../../formats/gguf/gguf-header.ts";
import { GgufMetadata } from "../../../formats/gguf/gguf-metadata.ts";
import { ggmlTypeNamed } from "../../../formats/gguf/gguf-types.ts";
import { ggufModelConfig } from "../../../formats/gguf/model-config.ts";
import { longFactorsNames, ropeFactorsName } from "../../../formats/gguf/tensor-names.ts";
import type { GgufTraits } from "../../../models/architecture.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import { findArchitecture, readModelConfig } from "../../../models/index.ts";
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
  "embeddingSize",
  "blockRuns",
  "names",
] as const satisfies readonly (keyof DecoderConfig)[];

/**
 * Checks that a file says all of a decoder that fewbit reads, and has what llama.cpp loads: what has
 * no key in the metadata is in llama.cpp a part of the architecture.
 * @throws UnsupportedError naming what the file cannot hold
 */
export function expectHeld(json: unknown, config: DecoderConfig, contents: Contents): void {
  const { gguf, ...family } = findArchitecture(json);
  if (gguf === null) return;
  expectLoaded(config, gguf);
  const read = readBack({ ...family, gguf }, contents);
  const other = compared.find((key) => !isAlike(config[key], read[key]));
  if (other !== undefined) {
    throw notHeld(
      gguf,
      `\`${other}\` ${JSON.stringify(config[other])}: they stand for ${JSON.stringify(read[other])}`,
    );
  }
  const block = config.layers.findIndex(
    ({ rope }, i) => (rope === null) !== (read.layers[i].rope === null),
  );
  if (block < 0) return;
  const how = config.layers[block].rope ? "is" : "is not";
  throw notHeld(gguf, `a model whose block ${block} ${how} rotated by positions`);
}

/** What fewbit would make of the file. */
function readBack(
  family: ReturnType<typeof findArchitecture> & { readonly gguf: GgufTraits },
  { entries, ropeFactors, tensors }: Contents,
): DecoderConfig {
  const metadata = new GgufMetadata("the file", entries);
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
  const { tied, biases, wholeHeads } = traits;
  const { heads, headDim, hiddenSize, tiedEmbeddings } = config;
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
