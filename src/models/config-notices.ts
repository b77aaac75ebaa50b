import type { DecoderConfig } from "./decoder-config.ts";
import { parseDecoderFields } from "./decoder-fields.ts";
import { findArchitecture } from "./index.ts";
import { hiddenRopeTheta } from "./read-rope.ts";

/**
 * Lists what a config.json says that has no effect although a reader would expect one, a line each.
 * @throws FormatError UnsupportedError as `readModelConfig` does
 */
export function configNotices(json: unknown, config: DecoderConfig): string[] {
  const fields = parseDecoderFields(json);
  const notices: string[] = [];
  const hidden = hiddenRopeTheta(fields, config.rope.theta);
  if (hidden !== null) notices.push(hidden);
  const { sliding_window: window } = fields;
  if (typeof window === "number" && !findArchitecture(json).hasWindows) {
    notices.push(
      `config.json: sliding_window ${window} means nothing to a ${config.modelType}: every block ` +
        "sees all tokens before",
    );
  }
  return notices;
}
