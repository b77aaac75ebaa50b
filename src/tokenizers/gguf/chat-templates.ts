import type { TokenizerMetadata } from "./tokenizer-metadata.ts";

const single = "tokenizer.chat_template";
const several = "tokenizer.chat_template.";

/**
 * Reads the chat templates of a GGUF file by their names; that without a name is `default`.
 * @throws FormatError when one is no text
 */
export function readGgufChatTemplates(metadata: TokenizerMetadata): ReadonlyMap<string, string> {
  const templates = new Map<string, string>();
  for (const key of metadata.entries.keys()) {
    const isNamed = key.startsWith(several) && key.length > several.length;
    if (!isNamed && key !== single) continue;
    const template = metadata.string(key);
    const name = isNamed ? key.slice(several.length) : "default";
    if (template !== null && !(isNamed && name === "default" && templates.has(name))) {
      templates.set(name, template);
    }
  }
  return templates;
}
