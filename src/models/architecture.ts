import type { DecoderConfig } from "./decoder-config.ts";
import type { DecoderFields } from "./decoder-fields.ts";

/** How GGUF files hold the models of a family. */
export interface GgufTraits {
  /** `general.architecture`. Several families may have one name. */
  readonly architecture: string;
  /**
   * Whether the rows of queries and keys lie in the order in which neighbouring channels are rotated
   * together (rotation `NORM` of llama.cpp), and not as transformers has them.
   */
  readonly permuted: boolean;
}

/** A Hugging Face `model_type`, as a configuration of the shared decoder. */
export interface Architecture {
  /** `model_type` in `config.json`. */
  readonly modelType: string;
  /** Name for people. */
  readonly title: string;
  /** Whether blocks may slide; where not, window fields of the config mean nothing. */
  readonly hasWindows: boolean;
  /** What llama.cpp calls it, and how its files hold it. */
  readonly gguf: GgufTraits;
  /** Turns fields of `config.json` into a configuration. @throws FormatError UnsupportedError */
  configure(fields: DecoderFields): DecoderConfig;
}
