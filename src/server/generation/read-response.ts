import { badRequest } from "../api-error.ts";
import type { ChatRequest, RequestMessage } from "../schemas/chat.ts";
import type { ResponseRequest } from "../schemas/response.ts";
import { joinContent } from "../tools/template-messages.ts";

/** Turns a request of the newer interface into one for a chat. @throws ApiError for other items than messages */
export function readResponse(body: ResponseRequest): ChatRequest {
  const { input, instructions, text } = body;
  const before: RequestMessage[] = instructions ? [{ role: "system", content: instructions }] : [];
  const said: RequestMessage[] =
    typeof input === "string" ? [{ role: "user", content: input }] : input.map(asMessage);
  const format = text?.format;
  return {
    messages: [...before, ...said],
    max_completion_tokens: body.max_output_tokens,
    temperature: body.temperature,
    top_p: body.top_p,
    response_format:
      format?.type === "json_schema"
        ? { type: "json_schema", json_schema: { schema: format.schema } }
        : format,
  };
}

function asMessage(
  { type = "message", role, content }: Exclude<ResponseRequest["input"], string>[number],
  i: number,
): RequestMessage {
  const param = `input.${i}`;
  if (type !== "message" || role === undefined) {
    throw badRequest(`\`${param}\` is no message, which is all that is taken`, param);
  }
  return { role, content: joinContent(content, param) };
}
