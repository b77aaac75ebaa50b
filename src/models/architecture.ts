import type { DecoderConfig, DecoderFields } from "./decoder-config.ts";

/** A Hugging Face `model_type`, as a configuration of the shared decoder. */
export interface Architecture {
  /** `model_type` in `config.json`. */
  readonly modelType: string;
  /** Name for people. */
  readonly title: string;
  /** Turns fields of `config.json` into a configuration. @throws FormatError UnsupportedError */
  configure(fields: DecoderFields): DecoderConfig;
}
