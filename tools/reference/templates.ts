import { readFileSync } from "node:fs";
import { renderChatTemplate } from "../../src/tokenizers/chat-template.ts";
import type { ChatMessage } from "../../src/tokenizers/chat-template.ts";
import { agreeOnText, templateTime } from "./rendered-text.ts";
import type { Json, Subject } from "./subject.ts";
import { makeSnippet } from "./template-grammar.ts";

interface Variables {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly object[];
  readonly [name: string]: unknown;
}

const { messages, tools, ...variables }: Variables = JSON.parse(
  readFileSync(new URL("template-variables.json", import.meta.url), "utf8"),
);

/** Templates drawn from Jinja's grammar, rendered with the variables of template-variables.json. */
export const templates: Subject = {
  name: "templates",
  packages: ["transformers", "jinja2"],
  goldenCases: 600,
  makeCase: (_index, random): Json => makeSnippet(random),
  answer: (template) =>
    renderChatTemplate(template as string, messages, {}, { variables, tools, now: templateTime }),
  agree: agreeOnText,
};
