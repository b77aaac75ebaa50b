import { FewbitError, FormatError, UnsupportedError, UsageError } from "../util/errors.ts";
import type { ChatTemplates } from "./chat-template-source.ts";
import { TemplateFailure } from "./templates/failure.ts";
import type { TemplateLimits } from "./templates/limits.ts";
import { Template } from "./templates/template.ts";

/** One turn of a conversation; whatever fields it has are seen by the template. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, `tool`, or what else the model's template knows. */
  readonly role: string;
  /** What is said: a text, or parts (`{ type: "text", text }`) where the template takes them. */
  readonly content?: string | readonly unknown[] | null;
  /** `tool_calls`, `name`, `reasoning_content`, … */
  readonly [field: string]: unknown;
}

/** How a conversation is turned into text. */
export interface ChatTemplateOptions {
  /** End the text where the assistant's answer begins. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Descriptions of tools that the model may call. */
  readonly tools?: readonly object[] | null;
  /** Texts that the model may look things up in. */
  readonly documents?: readonly object[] | null;
  /** More variables for the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Name of one of the model's templates, or the text of another one. */
  readonly template?: string;
  /** The present, for templates that print the date. Default now. */
  readonly now?: Date;
}

/**
 * How far a template may go. Real ones need some hundred steps and some thousand bytes a message,
 * for which `Meter.input` adds what a conversation justifies.
 */
const limits: TemplateLimits = {
  steps: 500_000,
  bytes: 24_000_000,
  milliseconds: 5_000,
  depth: 400,
};

/** Templates that were read last: the same one writes many conversations. */
const known = new Map<string, Template>();
const mostKnown = 8;

function readTemplate(source: string): Template {
  const found = known.get(source);
  if (found) return found;
  const template = new Template(source, limits);
  if (known.size >= mostKnown) known.delete([...known.keys()][0]);
  known.set(source, template);
  return template;
}

function asFewbitError(cause: unknown): FewbitError {
  if (cause instanceof FewbitError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const kind = cause instanceof TemplateFailure ? cause.kind : undefined;
  if (kind === "Refusal") {
    return new UnsupportedError(`the model's chat template refuses these messages: ${reason}`, {
      cause,
    });
  }
  const hint = "give another one: `template` takes a name or a template's text";
  if (kind === "Limit")
    return new FormatError(`the model's chat template ${reason}`, { cause, hint });
  if (kind === "SyntaxError") {
    return new FormatError(`the model's chat template cannot be read: ${reason}`, { cause, hint });
  }
  return new FormatError(`the model's chat template does not work: ${reason}`, { cause, hint });
}

/** Older names of a message's thoughts; templates read the first. */
const reasoningFields = ["reasoning_content", "thinking", "reasoning"];

/**
 * Prepares a message as transformers does: fields that are null are left out, and thoughts stand
 * under the names that templates read.
 */
function prepareMessage(message: ChatMessage): Readonly<Record<string, unknown>> {
  const entries = Object.entries(message).filter(([, value]) => value !== null);
  const fields = Object.fromEntries(entries);
  const from = reasoningFields.find((field) => fields[field] !== undefined);
  if (from === undefined) return fields;
  const reasoning = fields[from];
  return { thinking: reasoning, ...fields, reasoning_content: reasoning };
}

function expectObjects(values: readonly object[] | null | undefined, field: string): void {
  if (values === null || values === undefined) return;
  if (
    !Array.isArray(values) ||
    values.some((value) => typeof value !== "object" || value === null)
  ) {
    throw new UsageError(`expected a list of objects for \`${field}\``, { field });
  }
}

/**
 * Writes a conversation as the text that a model was trained on, by its own Jinja template, with
 * the result of `apply_chat_template` of transformers 5. The template is interpreted, never run
 * as code, and stopped when it runs or grows without end. `specialTokens`: texts by their names,
 * such as `bos_token`. The text holds the special tokens it needs: encode it without adding any.
 * @throws FormatError when the template is broken or runs away
 * @throws UnsupportedError when the template refuses the messages
 * @throws UsageError when `tools` or `documents` are no lists of objects
 */
export function renderChatTemplate(
  template: string,
  messages: readonly ChatMessage[],
  specialTokens: Readonly<Record<string, string>>,
  options: ChatTemplateOptions = {},
): string {
  const { tools = null, documents = null, variables, now } = options;
  expectObjects(tools, "tools");
  expectObjects(documents, "documents");
  try {
    const values = {
      ...specialTokens,
      ...variables,
      messages: messages.map(prepareMessage),
      tools,
      documents,
      add_generation_prompt: options.addGenerationPrompt ?? true,
    };
    return readTemplate(template).render(values, limits, now);
  } catch (error) {
    throw asFewbitError(error);
  }
}

/** What a conversation is written with: the part of a tokenizer that templates need. */
export interface ChatTokens {
  readonly chatTemplates: ChatTemplates;
  readonly specialTokens: ReadonlyMap<string, string>;
}

/**
 * Writes a conversation by one of the templates of the model's tokenizer.
 * @throws UnsupportedError when the model has no template, or its template refuses the messages
 * @throws UsageError when it has several and none is chosen, or none of the chosen name
 * @throws FormatError when the template is broken or runs away
 */
export function applyChatTemplate(
  tokenizer: ChatTokens,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions = {},
): string {
  const hasTools = options.tools !== null && options.tools !== undefined;
  const template = tokenizer.chatTemplates.choose(options.template, hasTools);
  const tokens = Object.fromEntries(tokenizer.specialTokens);
  return renderChatTemplate(template, messages, tokens, options);
}
