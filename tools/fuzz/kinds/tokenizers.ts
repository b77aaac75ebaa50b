import { join } from "node:path";
import { applyChatTemplate } from "../../../src/index.ts";
import { renderChatTemplate } from "../../../src/tokenizers/chat-template.ts";
import { DirectoryFiles } from "../../../src/formats/directory-files.ts";
import { loadTokenizer } from "../../../src/tokenizers/load-tokenizer.ts";
import type { Kind } from "../kind.ts";
import type { Mutator } from "../mutator.ts";
import { builtinFolder, readBuiltin, readJson, Variant } from "./fixtures.ts";
import {
  chatTemplates,
  messages,
  templateWords,
  tokenizerDefinitions,
} from "./tokenizer-fixtures.ts";

const sample = "Once upon a time,\n there were 12 cats. ÄÖ 😀<s>";

async function useTokenizer(folder: string): Promise<void> {
  const tokenizer = await loadTokenizer(new DirectoryFiles(folder));
  const ids = tokenizer.encode(sample, { addSpecial: true });
  tokenizer.decode(ids);
  tokenizer.decode([0, 1, 2, 3]);
  if (tokenizer.chatTemplates.names().length > 0) applyChatTemplate(tokenizer, messages);
}

/** `tokenizer.json` of every type of model, normalizer, pre-tokenizer, post-processor, decoder. */
export const tokenizer: Kind = {
  id: "tokenizer",
  title: "tokenizer.json",
  open: async (folder) => {
    const name = "tokenizer.json";
    const variant = new Variant(join(folder, "model"), join(builtinFolder, "model"), [name]);
    const whole = readJson(join(builtinFolder, "model", name));
    return async (mutator) => {
      const isWhole = mutator.prng.below(8) === 0;
      variant.write(name, mutator.json(isWhole ? whole : mutator.pick(tokenizerDefinitions)));
      await useTokenizer(variant.path);
    };
  },
};

const sidecars: Readonly<Record<string, unknown>> = {
  "tokenizer_config.json": {
    bos_token: "<s>",
    eos_token: { content: "</s>", lstrip: false, __type: "AddedToken" },
    unk_token: null,
    pad_token: "<pad>",
    add_bos_token: true,
    add_eos_token: false,
    additional_special_tokens: ["<x>"],
    added_tokens_decoder: { "2": { content: "<x>", special: true, normalized: false } },
    chat_template: [
      { name: "default", template: "{{ messages[0].content }}" },
      { name: "tool_use", template: "{{ tools }}" },
    ],
    model_max_length: 1e30,
  },
  "special_tokens_map.json": {
    bos_token: "<s>",
    eos_token: { content: "</s>", lstrip: false, normalized: false, rstrip: false },
    additional_special_tokens: ["<x>", { content: "<y>" }],
  },
  "added_tokens.json": { "<x>": 5, "<y>": 6 },
  "generation_config.json": { bos_token_id: 1, eos_token_id: [2, 3], pad_token_id: 0 },
};

/** The files beside `tokenizer.json`. */
export const tokenizerSettings: Kind = {
  id: "tokenizer-settings",
  title: Object.keys(sidecars).join(", "),
  open: async (folder) => {
    const names = Object.keys(sidecars);
    const variant = new Variant(join(folder, "model"), join(builtinFolder, "model"), names);
    return async (mutator) => {
      const changed = mutator.pick(names);
      for (const [name, value] of Object.entries(sidecars)) {
        variant.write(name, name === changed ? mutator.json(value) : JSON.stringify(value));
      }
      await useTokenizer(variant.path);
    };
  },
};

/** Chat templates, and the messages that they are given. */
export const template: Kind = {
  id: "template",
  title: "chat templates and messages",
  open: async () => async (mutator) => {
    const source = mutator.pick(chatTemplates);
    const tokens = { bos_token: "<s>", eos_token: "</s>" };
    if (mutator.prng.below(4) > 0) {
      renderChatTemplate(mutator.text(source, templateWords), messages, tokens);
      return;
    }
    const changed = changedMessages(mutator);
    if (changed) renderChatTemplate(source, changed, tokens);
  },
};

/** Messages that the types of the library allow. */
function changedMessages(mutator: Mutator): { role: string; content: string }[] | null {
  const value = mutator.value(messages);
  if (!Array.isArray(value)) return null;
  const isMessage = (each: { role?: unknown; content?: unknown } | null): boolean =>
    typeof each?.role === "string" && typeof each.content === "string";
  return value.every(isMessage) ? (value as { role: string; content: string }[]) : null;
}

/** Plain texts that a tokenizer is given. */
export const text: Kind = {
  id: "text",
  title: "texts to encode",
  open: async () => {
    const loaded = await loadTokenizer(new DirectoryFiles(join(builtinFolder, "model")));
    const start = readBuiltin("text/held-out.txt").slice(0, 2000);
    return async (mutator) => {
      const changed = mutator.text(start, ["<s>", "</s>", "\n", " ", "😀", "\ud800"]);
      loaded.decode(loaded.encode(changed, { addSpecial: true }));
    };
  },
};
