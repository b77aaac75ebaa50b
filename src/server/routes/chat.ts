import type { EngineFinish, EngineTokens } from "../../runtime/serving/engine-request.ts";
import { ChatChoice, type ChatDelta } from "../answers/chat-choice.ts";
import { eventStream, type ServerEvent } from "../answers/event-stream.ts";
import { answerId, nowSeconds } from "../answers/ids.ts";
import { timingsOf, usageOf } from "../answers/usage.ts";
import { expectChoices, expectUnused } from "../generation/expect-fields.ts";
import { Generation } from "../generation/generation.ts";
import { type ChatPlan, planChat } from "../generation/plan-chat.ts";
import { defineRoute } from "../route.ts";
import { type ChatRequest, chatRequest } from "../schemas/chat.ts";
import { chatAnswer } from "../schemas/answers.ts";
import { useModel } from "../server-context.ts";

/** Fields that would change the answer, and do not here. */
const refused = {
  functions: "send `tools`",
  function_call: "send `tool_choice`",
  audio: "answers are text",
  prediction: "leave it out",
  web_search_options: "there is no search",
  modalities: "answers are text",
};

const idle = {
  modalities: (value: unknown) => JSON.stringify(value) === '["text"]',
};

interface Frame {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

interface Running {
  readonly frame: Frame;
  readonly generation: Generation;
  readonly streams: readonly EngineTokens[];
  readonly choices: readonly ChatChoice[];
}

/** `POST /v1/chat/completions` */
export const chatRoute = defineRoute<ChatRequest>({
  method: "POST",
  path: "/v1/chat/completions",
  aliases: ["/chat/completions"],
  summary: "Answers a conversation.",
  body: chatRequest,
  answer: chatAnswer,
  streams: true,
  async answerCall(server, { body, signal, onEnd }) {
    expectUnused(body, refused, idle);
    expectChoices(body.n ?? 1, server.limits);
    const model = await useModel(server, body.model);
    const generation = new Generation(server, model, signal);
    try {
      const plan: ChatPlan = planChat(model.engine, body, server.limits);
      const streams = await generation.start(plan);
      const { tokenizer } = model.engine.model;
      const choices = streams.map(() => new ChatChoice(tokenizer, plan));
      const frame = { id: answerId("chatcmpl"), created: nowSeconds(), model: model.name };
      const running = { frame, generation, streams, choices };
      if (!body.stream) return Response.json(await wholeAnswer(running));
      const { stallMs } = server.limits;
      const withUsage = body.stream_options?.include_usage ?? false;
      const end = (status: number): void => {
        generation.close();
        onEnd(status);
      };
      return eventStream(chunks(running, withUsage), { stallMs, onEnd: end });
    } catch (error) {
      generation.close();
      throw error;
    }
  },
});

async function wholeAnswer({ frame, generation, streams, choices }: Running): Promise<object> {
  const finishes: EngineFinish[] = [];
  for await (const event of generation.events(streams)) {
    const choice = choices[event.index];
    if ("token" in event) choice.push(event.token);
    else {
      choice.finish();
      finishes[event.index] = event.finish;
    }
  }
  return {
    ...frame,
    object: "chat.completion",
    choices: choices.map((choice, index) => {
      const { message, logprobs } = choice.whole();
      return { index, message, logprobs, finish_reason: choice.reason(finishes[index]) };
    }),
    usage: usageOf(finishes),
    timings: timingsOf(finishes[0]),
  };
}

async function* chunks(
  { frame, generation, streams, choices }: Running,
  withUsage: boolean,
): AsyncGenerator<ServerEvent, void, void> {
  const usual = withUsage ? { usage: null } : {};
  const chunk = (
    index: number,
    { delta, logprobs }: ChatDelta,
    more: object = {},
  ): ServerEvent => ({
    data: {
      ...frame,
      object: "chat.completion.chunk",
      choices: [{ index, delta, logprobs, finish_reason: null, ...more }],
      ...usual,
    },
  });
  const opening = { delta: { role: "assistant", content: "" }, logprobs: null };
  for (const index of choices.keys()) yield chunk(index, opening);
  const finishes: EngineFinish[] = [];
  for await (const event of generation.events(streams)) {
    const { index } = event;
    const choice = choices[index];
    const delta = "token" in event ? choice.push(event.token) : choice.finish();
    if (delta) yield chunk(index, delta);
    if ("token" in event) continue;
    finishes[index] = event.finish;
    const last = chunk(
      index,
      { delta: {}, logprobs: null },
      {
        finish_reason: choice.reason(event.finish),
      },
    );
    yield { data: { ...(last.data as object), timings: timingsOf(event.finish) } };
  }
  if (withUsage) {
    const usage = usageOf(finishes);
    const object = "chat.completion.chunk";
    yield { data: { ...frame, object, choices: [], usage, timings: timingsOf(finishes[0]) } };
  }
  yield { data: "[DONE]" };
}
