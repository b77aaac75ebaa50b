import type { ModelFiles } from "../formats/model-files.ts";
import { FormatError } from "../util/errors.ts";
import { loadChatTemplates } from "./load-chat-templates.ts";
import { createTokenizer, type TokenizerFiles } from "./hub-tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { type ModelTokenIds, parseModelTokenIds } from "./tokenizer-definition.ts";

/**
 * Loads the tokenizer of a checkpoint: `tokenizer.json`, and where they are there
 * `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, the chat
 * templates, and the special token ids of `generation_config.json` and `config.json`.
 * @param embeddingRows of the model that the ids are for: other ids are refused
 * @throws FormatError when `tokenizer.json` is missing or a file is malformed
 * @throws UnsupportedError when the tokenizer needs something that fewbit does not know
 */
export async function loadTokenizer(files: ModelFiles, embeddingRows?: number): Promise<Tokenizer> {
  return createTokenizer({ ...(await readTokenizerFiles(files)), embeddingRows });
}

/**
 * Reads the files that a tokenizer is made of, see `loadTokenizer`.
 * @throws FormatError when `tokenizer.json` is missing or a file is malformed
 */
export async function readTokenizerFiles(files: ModelFiles): Promise<TokenizerFiles> {
  const definition = await files.json("tokenizer.json");
  if (definition === undefined) {
    throw new FormatError(`${files.path} has no tokenizer.json`, {
      hint: "transformers writes it: AutoTokenizer.from_pretrained(model).save_pretrained(folder)",
    });
  }
  const modelTokenIds: ModelTokenIds[] = [];
  for (const name of ["generation_config.json", "config.json"]) {
    const value = await files.json(name);
    if (value !== undefined) modelTokenIds.push(parseModelTokenIds(value, name));
  }
  const beside = (name: string) => files.json(name);
  return {
    path: files.label("tokenizer.json"),
    definition,
    settings: await beside("tokenizer_config.json"),
    specialTokensMap: await beside("special_tokens_map.json"),
    addedTokens: await beside("added_tokens.json"),
    chatTemplates: await loadChatTemplates(files),
    modelTokenIds,
  };
}
