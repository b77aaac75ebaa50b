import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type ChatMessage,
  type ChatTemplateOptions,
  renderChatTemplate,
} from "../../src/tokenizers/chat-template.ts";
import { agreeOnText, templateTime } from "./rendered-text.ts";
import type { Json, Subject } from "./subject.ts";

/** Folder of the templates: `$FEWBIT_TEMPLATES`, or those that stand for public families. */
const folder =
  process.env.FEWBIT_TEMPLATES ?? fileURLToPath(new URL("chat-templates", import.meta.url));
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".jinja"))
  .sort();

interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly object[];
  readonly documents?: readonly object[];
  readonly add_generation_prompt: boolean;
  readonly [variable: string]: unknown;
}

const conversations: readonly Conversation[] = JSON.parse(
  readFileSync(new URL("chat-conversations.json", import.meta.url), "utf8"),
);
const tokens = {
  bos_token: "<s>",
  eos_token: "</s>",
  pad_token: "<pad>",
  unk_token: "<unk>",
};

interface Case {
  readonly template: string;
  readonly conversation: number;
}

/** Each template with each conversation, and then from the start again. */
function makeCase(index: number): Json {
  const template = names[index % names.length];
  return { template, conversation: Math.floor(index / names.length) % conversations.length };
}

function answer(input: Json): Json {
  const { template, conversation } = input as unknown as Case;
  const source = readFileSync(join(folder, template), "utf8");
  const { messages, tools, documents, add_generation_prompt, ...variables } =
    conversations[conversation];
  const options: ChatTemplateOptions = {
    addGenerationPrompt: add_generation_prompt,
    tools: tools ?? null,
    documents: documents ?? null,
    variables,
    now: templateTime,
  };
  return renderChatTemplate(source, messages, tokens, options);
}

/** Chat templates in the manners of public models, with conversations that have everything. */
export const chatTemplates: Subject = {
  name: "chat_templates",
  packages: ["transformers", "jinja2"],
  goldenCases: names.length * conversations.length,
  makeCase,
  answer,
  agree: agreeOnText,
};
