import type { z } from "zod";
import type { DecoderConfig } from "./decoder-config.ts";
import {
  type DecoderFields,
  expectValues,
  type FieldAliases,
  type FieldValues,
  readOwnFields,
} from "./decoder-fields.ts";

/** Sizes of a model, from which some of its fields follow in GGUF files. */
export interface GgufSizes {
  readonly blocks: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly headDim: number;
  /** Whether the file has a tensor of this name. */
  readonly has: (tensor: string) => boolean;
}

/** A key of the metadata that says what a field of `config.json` does. */
export interface GgufKey {
  /** Behind the architecture: `logit_scale`. */
  readonly key: string;
  /** The field in `config.json`. */
  readonly field: string;
  /** What is written; null writes nothing. */
  readonly of: (config: DecoderConfig) => number | boolean | null;
}

/** Fields of `config.json` that say what a mixture is made of; keys of its files stand for them. */
export interface GgufExperts {
  /** How many a block has, and how many a token goes to. */
  readonly count: string;
  readonly used: string;
  /** Width of an expert's MLP; `intermediate_size` where that is no other width. */
  readonly width: string;
  /** Width of the MLP for every token; absent where there is none. */
  readonly shared?: string;
}

/** How GGUF files hold the models of a family, and what llama.cpp computes of them. */
export interface GgufTraits {
  /** `general.architecture`. Several families may have one name. */
  readonly architecture: string;
  /** The class in transformers; absent where it is the title with `ForCausalLM`. */
  readonly className?: string;
  /**
   * Whether the rows of queries and keys lie in the order in which neighbouring channels are rotated
   * together (rotation `NORM` of llama.cpp), and not as transformers has them.
   */
  readonly permuted: boolean;
  /** The field of the eps of a LayerNorm; absent where norms are RMSNorms. */
  readonly layerNormEps?: string;
  /** Fields of `config.json` that llama.cpp computes by without a key; absent: a gate of SiLU. */
  readonly means?: (sizes: GgufSizes) => Readonly<Record<string, unknown>>;
  /** Keys that only some architectures have. */
  readonly keys?: readonly GgufKey[];
  /** Of mixtures of experts, which llama.cpp has in every block; absent where there are none. */
  readonly experts?: GgufExperts;
  /** Whether its rotations turn pairs of channels by time, row and column of an image. */
  readonly sectioned?: boolean;
  /** Whether a part of each head may be rotated: its share is then always stated. */
  readonly partlyRotated?: boolean;
  /** How rotations may be scaled, by the kinds of `RopeScaling`; absent: linear, YaRN. */
  readonly scalings?: readonly string[];
  /**
   * Windows that llama.cpp computes: of every n blocks the last one does not slide, unless the file
   * has a pattern. `usual` stands for a window that the file does not state; null means none.
   */
  readonly windows?: { readonly every: number; readonly usual: number | null };
  /** What its files must have or lack to be loaded; absent where either is. */
  readonly tied?: boolean;
  readonly biases?: boolean;
  /** Whether heads must make up the hidden size. */
  readonly wholeHeads?: boolean;
  /** Whether every head must have keys and values of its own. */
  readonly ownKeys?: boolean;
  /** Where llama.cpp computes otherwise than the model, a sentence each. */
  readonly notices?: readonly string[];
}

/** What every family is known by. */
export interface FamilyName {
  /** `model_type` in `config.json`. */
  readonly modelType: string;
  /** Name for people. */
  readonly title: string;
}

/** A Hugging Face `model_type`, as a configuration of the shared decoder. */
export interface Architecture extends FamilyName {
  /** What llama.cpp calls it, and how its files hold it; null where that is not known. */
  readonly gguf: GgufTraits | null;
  /** Whether blocks may slide; where not, window fields of the config mean nothing. */
  readonly hasWindows: boolean;
  /**
   * What transformers takes for fields that are left out, by name: a config that stands within
   * another one has only those in which it differs.
   */
  readonly sizes?: Readonly<Record<string, unknown>>;
  /** Names that it has for shared fields. */
  readonly aliases?: FieldAliases;
  /**
   * Fields that it reads besides the shared ones: all others that could mean something are refused.
   * Absent where unknown fields mean nothing, as to transformers.
   */
  readonly reads?: ReadonlySet<string>;
  /** Turns fields of `config.json` into a configuration. @throws FormatError UnsupportedError */
  configure(fields: DecoderFields): DecoderConfig;
}

/** A family with fields of its own. */
interface Family<Own extends z.ZodObject> extends Omit<Architecture, "configure" | "reads"> {
  /** Fields that the shared ones do not have, with what they mean where they are left out. */
  readonly own: Own;
  /** Fields that only have these values in models that fewbit runs. */
  readonly only?: FieldValues;
  /** Fields that change nothing in this family, whatever they say. */
  readonly ignores?: readonly string[];
  readonly configure: (fields: DecoderFields, own: z.output<Own>) => DecoderConfig;
}

/** Makes an architecture that refuses fields which it does not know. */
export function defineFamily<Own extends z.ZodObject>(family: Family<Own>): Architecture {
  const { own, only = {}, ignores = [], configure, ...rest } = family;
  const aliases = Object.values(rest.aliases ?? {});
  return {
    ...rest,
    reads: new Set([...Object.keys(own.shape), ...aliases, ...Object.keys(only), ...ignores]),
    configure: (fields) => {
      expectValues(fields, only);
      return configure(fields, readOwnFields(fields, own));
    },
  };
}
