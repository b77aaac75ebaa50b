import type { EngineFinish, EngineTokens } from "../../runtime/serving/engine-request.ts";
import { eventStream, type ServerEvent } from "../answers/event-stream.ts";
import { answerId, nowSeconds } from "../answers/ids.ts";
import { toApiError } from "../api-error.ts";
import { timingsOf } from "../answers/usage.ts";
import { expectUnused } from "../generation/expect-fields.ts";
import { Generation } from "../generation/generation.ts";
import { planChat } from "../generation/plan-chat.ts";
import { readResponse } from "../generation/read-response.ts";
import { defineRoute } from "../route.ts";
import { responseAnswer } from "../schemas/answers.ts";
import { type ResponseRequest, responseRequest } from "../schemas/response.ts";
import { useModel } from "../server-context.ts";

const refused = {
  previous_response_id: "send the whole conversation as `input`: nothing is kept",
  conversation: "send the whole conversation as `input`: nothing is kept",
  background: "answers are not kept",
  prompt: "send what it says as `instructions` and `input`",
  tools: "/v1/chat/completions has them",
  tool_choice: "/v1/chat/completions has tools",
  top_logprobs: "/v1/chat/completions has them",
};

/** Values with which fields ask for nothing. */
const idle: Readonly<Record<string, (value: unknown) => boolean>> = {
  background: (value) => value === false,
  tools: (value) => Array.isArray(value) && value.length === 0,
  tool_choice: (value) => value === "auto" || value === "none",
  top_logprobs: (value) => value === 0,
};

interface Running {
  readonly body: ResponseRequest;
  readonly id: string;
  readonly messageId: string;
  readonly created: number;
  readonly model: string;
  readonly generation: Generation;
  readonly streams: readonly EngineTokens[];
}

/** `POST /v1/responses` */
export const responsesRoute = defineRoute<ResponseRequest>({
  method: "POST",
  path: "/v1/responses",
  aliases: ["/responses"],
  summary: "Answers a conversation, in the newer form; text only.",
  body: responseRequest,
  answer: responseAnswer,
  streams: true,
  async answerCall(server, { body, signal, onEnd }) {
    expectUnused(body, refused, idle);
    const model = await useModel(server, body.model);
    const generation = new Generation(server, model, signal);
    try {
      const plan = planChat(model.engine, readResponse(body), server.limits);
      const streams = await generation.start(plan);
      const running: Running = {
        body,
        id: answerId("resp"),
        messageId: answerId("msg"),
        created: nowSeconds(),
        model: model.name,
        generation,
        streams,
      };
      if (!body.stream) return Response.json(await wholeAnswer(running));
      const end = (status: number): void => {
        generation.close();
        onEnd(status);
      };
      return eventStream(events(running), { stallMs: server.limits.stallMs, onEnd: end });
    } catch (error) {
      generation.close();
      throw error;
    }
  },
});

async function wholeAnswer(running: Running): Promise<object> {
  let text = "";
  let finish: EngineFinish | null = null;
  for await (const event of running.generation.events(running.streams)) {
    if ("token" in event) text += event.token.text;
    else finish = event.finish;
  }
  return responseOf(running, text, finish);
}

/** The answer as it is: under way without `finish`. */
function responseOf(running: Running, text: string | null, finish: EngineFinish | null): object {
  const { body, id, created, model } = running;
  const isCut = finish?.finishReason === "length";
  const usage = finish?.usage;
  return {
    id,
    object: "response",
    created_at: created,
    status: !finish ? "in_progress" : isCut ? "incomplete" : "completed",
    error: null,
    incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model,
    output: text === null ? [] : [messageOf(running, text, finish)],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: body.temperature ?? 1,
    text: { format: body.text?.format ?? { type: "text" } },
    tool_choice: "none",
    tools: [],
    top_p: body.top_p ?? 1,
    truncation: "disabled",
    usage: usage
      ? {
          input_tokens: usage.promptTokens,
          input_tokens_details: { cached_tokens: usage.cachedTokens },
          output_tokens: usage.generatedTokens,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: usage.promptTokens + usage.generatedTokens,
        }
      : null,
    ...(finish ? { timings: timingsOf(finish) } : {}),
  };
}

function messageOf(running: Running, text: string, finish: EngineFinish | null): object {
  const isCut = finish?.finishReason === "length";
  const status = !finish ? "in_progress" : isCut ? "incomplete" : "completed";
  const content = finish ? [partOf(text)] : [];
  return { id: running.messageId, type: "message", role: "assistant", status, content };
}

const partOf = (text: string): object => ({
  type: "output_text",
  text,
  annotations: [],
  logprobs: [],
});

async function* events(running: Running): AsyncGenerator<ServerEvent, void, void> {
  let count = 0;
  const event = (type: string, data: object): ServerEvent => ({
    event: type,
    data: { type, sequence_number: count++, ...data },
  });
  const at = { item_id: running.messageId, output_index: 0, content_index: 0 };
  const begun = responseOf(running, null, null);
  yield event("response.created", { response: begun });
  yield event("response.in_progress", { response: begun });
  const item = messageOf(running, "", null);
  yield event("response.output_item.added", { output_index: 0, item });
  yield event("response.content_part.added", { ...at, part: partOf("") });
  let text = "";
  let finish: EngineFinish | null = null;
  try {
    for await (const step of running.generation.events(running.streams)) {
      if ("finish" in step) finish = step.finish;
      else if (step.token.text !== "") {
        text += step.token.text;
        yield event("response.output_text.delta", { ...at, delta: step.token.text, logprobs: [] });
      }
    }
  } catch (error) {
    const { message, apiCode } = toApiError(error);
    const failed = {
      ...begun,
      status: "failed",
      error: { code: apiCode ?? "server_error", message },
    };
    yield event("response.failed", { response: failed });
    return;
  }
  yield event("response.output_text.done", { ...at, text, logprobs: [] });
  yield event("response.content_part.done", { ...at, part: partOf(text) });
  yield event("response.output_item.done", {
    output_index: 0,
    item: messageOf(running, text, finish),
  });
  const ending = finish?.finishReason === "length" ? "incomplete" : "completed";
  yield event(`response.${ending}`, { response: responseOf(running, text, finish) });
}
