import type { ChatMessage } from "../../tokenizers/chat-template.ts";
import { badRequest } from "../api-error.ts";
import type { RequestMessage } from "../schemas/chat.ts";
import type { ToolFormat } from "./tool-format.ts";

type ToolCalls = NonNullable<RequestMessage["tool_calls"]>;

/** Joins the parts of what is said. @throws ApiError for parts that are no text */
export function joinContent(content: RequestMessage["content"], place: string): string {
  if (content === null || content === undefined) return "";
  if (typeof content === "string") return content;
  return content
    .map(({ type, text }, i) => {
      if (text !== undefined && ["text", "input_text", "output_text"].includes(type)) return text;
      const param = `${place}.content.${i}`;
      throw badRequest(`\`${param}\` is of the type "${type}"; only text is taken`, param);
    })
    .join("");
}

/**
 * Turns messages of a request into what templates read: texts whole, arguments of calls as objects.
 * @throws ApiError for what is no text
 */
export function templateMessages(messages: readonly RequestMessage[]): ChatMessage[] {
  return messages.map(({ tool_calls: calls, content, role, ...rest }, i) => ({
    ...rest,
    role: role === "developer" ? "system" : role,
    content: joinContent(content, `messages.${i}`),
    ...(calls && calls.length > 0 ? { tool_calls: calls.map(asObject) } : {}),
  }));
}

function asObject(call: ToolCalls[number]): object {
  const { name } = call.function;
  return { ...call, function: { name, arguments: parsedArguments(call) } };
}

function parsedArguments({ function: { arguments: text } }: ToolCalls[number]): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Writes earlier calls into what was said, for templates that know none. */
export function spellCalls(
  messages: readonly RequestMessage[],
  format: ToolFormat,
): RequestMessage[] {
  return messages.map(({ tool_calls: calls, ...message }, i) => {
    if (!calls || calls.length === 0) return message;
    const spelled = calls.map(
      ({ function: { name, arguments: text } }) => format.begin(name) + text + format.end,
    );
    const said = joinContent(message.content, `messages.${i}`);
    return { ...message, content: said + spelled.join(format.separator) };
  });
}

/** Puts a text into the system message, or makes it one. */
export function withSystemText(
  messages: readonly RequestMessage[],
  text: string,
): RequestMessage[] {
  const [first, ...others] = messages;
  if (first.role !== "system") return [{ role: "system", content: text }, ...messages];
  return [
    { ...first, content: `${joinContent(first.content, "messages.0")}\n\n${text}` },
    ...others,
  ];
}
