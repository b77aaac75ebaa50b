import type { DecoderConfig } from "./decoder-config.ts";
import { parseDecoderFields } from "./decoder-fields.ts";
import { findLanguage } from "./index.ts";
import { hiddenRopeTheta } from "./read-rope.ts";

/**
 * Lists what a config.json says that has no effect although a reader would expect one, a line each.
 * @throws FormatError UnsupportedError as `readModelConfig` does
 */
export function configNotices(json: unknown, config: DecoderConfig): string[] {
  const { architecture, fields: language } = findLanguage(json);
  const { aliases, hasWindows } = architecture;
  const fields = parseDecoderFields(language, aliases);
  const notices: string[] = [];
  const rotated = config.layers.find(({ rope }) => rope !== null)?.rope;
  const hidden = rotated ? hiddenRopeTheta(fields, rotated.theta) : null;
  if (hidden !== null) notices.push(hidden);
  const { sliding_window: window } = fields;
  if (typeof window === "number" && !hasWindows) {
    notices.push(
      `config.json: sliding_window ${window} means nothing to a ${config.modelType}: every block ` +
        "sees all tokens before",
    );
  }
  return [...notices, ...tokenNotices("config.json", json as object, config.vocabularySize)];
}

/**
 * Lists special token ids of a config.json or generation_config.json that the model has no token
 * for; they begin and end nothing.
 * @param file name for people
 */
export function tokenNotices(file: string, json: object, vocabularySize: number): string[] {
  return Object.entries(json).flatMap(([name, value]: [string, unknown]) => {
    if (!/^(?:bos|eos|pad)_token_id$/.test(name)) return [];
    const ids = [value].flat().filter((id) => typeof id === "number");
    const strange = ids.filter((id) => !(Number.isInteger(id) && id >= 0 && id < vocabularySize));
    if (strange.length === 0) return [];
    return [
      `${file}: ${name} ${strange.join(", ")} is not among the ${vocabularySize} tokens of the model`,
    ];
  });
}
