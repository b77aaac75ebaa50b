import type { EngineRequest } from "../../runtime/serving/engine-request.ts";
import type { Engine } from "../../runtime/serving/engine.ts";
import { applyChatTemplate } from "../../tokenizers/chat-template.ts";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { ApiError, badRequest } from "../api-error.ts";
import type { Grammar } from "../grammar/grammar.ts";
import type { ServerLimits } from "../limits.ts";
import type { ChatRequest, ResponseFormat } from "../schemas/chat.ts";
import { spellCalls, templateMessages, withSystemText } from "../tools/template-messages.ts";
import { chooseToolFormat, describeTools, type ToolFormat } from "../tools/tool-format.ts";
import { toolGrammar } from "../tools/tool-grammar.ts";
import { fitTokens } from "./fit-tokens.ts";
import type { GenerationPlan } from "./generation.ts";
import { readSampling } from "./read-sampling.ts";

/** A chat that is ready for the engine. */
export interface ChatPlan extends GenerationPlan {
  /** How calls are written in the answer; null where there can be none. */
  readonly toolFormat: ToolFormat | null;
  readonly toolNames: readonly string[];
}

type Conversation = Pick<ChatRequest, "messages" | "tools" | "chat_template_kwargs">;

/**
 * Writes a conversation by the model's template.
 * @throws ApiError when the model has no template, or its template does not take the messages
 */
export function writeChat(engine: Engine, { messages, tools, ...rest }: Conversation): string {
  const { tokenizer } = engine.model;
  const variables = rest.chat_template_kwargs ?? {};
  try {
    if (tokenizer.chatTemplates.names().length === 0) throw noTemplate();
    const given = tools && tools.length > 0 ? tools : null;
    if (!given) return applyChatTemplate(tokenizer, templateMessages(messages), { variables });
    const { format, isDescribed } = chooseToolFormat(
      tokenizer.chatTemplates.choose(undefined, true),
    );
    if (isDescribed) {
      return applyChatTemplate(tokenizer, templateMessages(messages), { tools: given, variables });
    }
    const told = withSystemText(spellCalls(messages, format), describeTools(given, format));
    return applyChatTemplate(tokenizer, templateMessages(told), { variables });
  } catch (error) {
    // A template that breaks on messages is no fault of the server.
    if (error instanceof FormatError || error instanceof UnsupportedError) {
      throw new ApiError(400, error.message, { param: "messages", cause: error });
    }
    throw error;
  }
}

function noTemplate(): ApiError {
  const message =
    "this model has no chat template: send texts to /v1/completions, or serve its instruct variant";
  return badRequest(message, "model");
}

/** Makes of a chat what the engine is asked for. @throws ApiError FewbitError */
export function planChat(engine: Engine, request: ChatRequest, limits: ServerLimits): ChatPlan {
  const choice = request.tool_choice ?? (request.tools?.length ? "auto" : "none");
  const tools = choice === "none" ? [] : (request.tools ?? []);
  if (choice !== "none" && tools.length === 0) {
    throw badRequest("`tool_choice` asks for a call, but there are no `tools`", "tool_choice");
  }
  const text = writeChat(engine, { ...request, tools });
  const prompt = [...engine.model.tokenizer.encode(text)];
  const asked = request.max_completion_tokens ?? request.max_tokens ?? null;
  const { maxTokens } = fitTokens(engine, prompt, { asked, limits, param: "messages" });
  const { n, top_logprobs: top } = request;
  if (top && !request.logprobs) {
    throw badRequest("`top_logprobs` needs `logprobs: true`", "top_logprobs");
  }
  const known = request.logprobs ? { logprobs: top ?? 0 } : {};
  const base: EngineRequest = { prompt, maxTokens, ...readSampling(request), ...known };
  const toolFormat = tools.length > 0 ? chooseFormat(engine) : null;
  const parallel = request.parallel_tool_calls ?? true;
  return {
    requests: several(base, n ?? 1),
    grammar: toolFormat
      ? toolGrammar({ tools, choice, parallel }, toolFormat)
      : formatGrammar(request.response_format),
    toolFormat,
    toolNames: tools.map((tool) => tool.function.name),
  };
}

function chooseFormat({ model }: Engine): ToolFormat {
  return chooseToolFormat(model.tokenizer.chatTemplates.choose(undefined, true)).format;
}

/** Several answers to one prompt: each with draws of its own. */
export function several(request: EngineRequest, count: number): EngineRequest[] {
  return Array.from({ length: count }, (_, i) =>
    request.seed === undefined ? request : { ...request, seed: (request.seed + i) >>> 0 },
  );
}

/** The grammar of an answer that must be JSON; null for any text. */
export function formatGrammar(format: ResponseFormat | null | undefined): Grammar | null {
  if (!format || format.type === "text") return null;
  const from = { kind: "schema", param: "response_format" } as const;
  if (format.type === "json_object") {
    return { ...from, text: '{"type":"object"}', strict: false };
  }
  const { schema } = format.json_schema;
  return { ...from, text: JSON.stringify(schema), strict: true };
}
