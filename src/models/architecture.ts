import type { DecoderConfig } from "./decoder-config.ts";
import type { DecoderFields } from "./decoder-fields.ts";

/** A Hugging Face `model_type`, as a configuration of the shared decoder. */
export interface Architecture {
  /** `model_type` in `config.json`. */
  readonly modelType: string;
  /** Name for people. */
  readonly title: string;
  /** Whether blocks may slide; where not, window fields of the config mean nothing. */
  readonly hasWindows: boolean;
  /** Turns fields of `config.json` into a configuration. @throws FormatError UnsupportedError */
  configure(fields: DecoderFields): DecoderConfig;
}
