import { joinPath, readText, status } from "../platform/node.ts";
import { FormatError } from "../util/errors.ts";
import { parseJson } from "../util/json.ts";
import { loadChatTemplates } from "./load-chat-templates.ts";
import { createTokenizer } from "./hub-tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { type ModelTokenIds, parseModelTokenIds } from "./tokenizer-definition.ts";

async function readTextIfThere(path: string): Promise<string | null> {
  return (await status(path)) === null ? null : readText(path);
}

async function readJsonIfThere(path: string): Promise<unknown> {
  const text = await readTextIfThere(path);
  return text === null ? undefined : parseJson(text, path);
}

/**
 * Loads the tokenizer of a checkpoint: `tokenizer.json`, and where they are there
 * `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, the chat
 * templates, and the special token ids of `generation_config.json` and `config.json`.
 * @param embeddingRows of the model that the ids are for: other ids are refused
 * @throws FormatError when `tokenizer.json` is missing or a file is malformed
 * @throws UnsupportedError when the tokenizer needs something that fewbit does not know
 */
export async function loadTokenizer(directory: string, embeddingRows?: number): Promise<Tokenizer> {
  const path = joinPath(directory, "tokenizer.json");
  const definition = await readJsonIfThere(path);
  if (definition === undefined) {
    throw new FormatError(`${directory} has no tokenizer.json`, {
      hint: "transformers writes it: AutoTokenizer.from_pretrained(model).save_pretrained(folder)",
    });
  }
  const modelTokenIds: ModelTokenIds[] = [];
  for (const name of ["generation_config.json", "config.json"]) {
    const value = await readJsonIfThere(joinPath(directory, name));
    if (value !== undefined) modelTokenIds.push(parseModelTokenIds(value, name));
  }
  const beside = (name: string) => readJsonIfThere(joinPath(directory, name));
  return createTokenizer({
    path,
    definition,
    embeddingRows,
    settings: await beside("tokenizer_config.json"),
    specialTokensMap: await beside("special_tokens_map.json"),
    addedTokens: await beside("added_tokens.json"),
    chatTemplates: await loadChatTemplates(directory),
    modelTokenIds,
  });
}
