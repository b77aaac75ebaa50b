import type { EngineFinish, EngineRequest } from "../../runtime/serving/engine-request.ts";
import type { EngineTokens } from "../../runtime/serving/engine-request.ts";
import type { Engine } from "../../runtime/serving/engine.ts";
import { CompletionChoice, type CompletionForm } from "../answers/completion-choice.ts";
import { eventStream, type ServerEvent } from "../answers/event-stream.ts";
import { finishReason } from "../answers/finish-reason.ts";
import { answerId, nowSeconds } from "../answers/ids.ts";
import { timingsOf, usageOf } from "../answers/usage.ts";
import { badRequest } from "../api-error.ts";
import { expectChoices, expectUnused } from "../generation/expect-fields.ts";
import { fitTokens } from "../generation/fit-tokens.ts";
import { Generation } from "../generation/generation.ts";
import { formatGrammar, several } from "../generation/plan-chat.ts";
import { type Prompt, readPrompts } from "../generation/read-prompts.ts";
import { readSampling } from "../generation/read-sampling.ts";
import type { ServerLimits } from "../limits.ts";
import { defineRoute } from "../route.ts";
import { completionAnswer } from "../schemas/answers.ts";
import { type CompletionRequest, completionRequest } from "../schemas/completion.ts";
import { useModel } from "../server-context.ts";

const usualTokens = 16;

interface Frame {
  readonly id: string;
  readonly object: "text_completion";
  readonly created: number;
  readonly model: string;
}

interface Running {
  readonly frame: Frame;
  readonly generation: Generation;
  readonly streams: readonly EngineTokens[];
  readonly choices: readonly CompletionChoice[];
  readonly prompts: number;
}

/** `POST /v1/completions` */
export const completionsRoute = defineRoute<CompletionRequest>({
  method: "POST",
  path: "/v1/completions",
  aliases: ["/completions"],
  summary: "Continues texts.",
  body: completionRequest,
  answer: completionAnswer,
  streams: true,
  async answerCall(server, { body, signal, onEnd }) {
    expectKnown(body);
    const model = await useModel(server, body.model);
    const generation = new Generation(server, model, signal);
    try {
      const { engine } = model;
      const { tokenizer } = engine.model;
      const prompts = readPrompts(engine.model, body.prompt, "prompt");
      const n = body.n ?? 1;
      expectChoices(n * prompts.length, server.limits);
      const form = formOf(body);
      const requests = prompts.flatMap(({ ids }) =>
        several(requestOf(engine, ids, { body, form, limits: server.limits }), n),
      );
      const grammar = formatGrammar(body.response_format);
      const streams = await generation.start({ requests, grammar });
      const frame = {
        id: answerId("cmpl"),
        object: "text_completion",
        created: nowSeconds(),
        model: model.name,
      } as const;
      const choices = streams.map(
        (_, i) => new CompletionChoice(tokenizer, prompts[Math.floor(i / n)], form),
      );
      const running = { frame, generation, streams, choices, prompts: prompts.length };
      if (!body.stream) return Response.json(await wholeAnswer(running));
      const end = (status: number): void => {
        generation.close();
        onEnd(status);
      };
      const withUsage = body.stream_options?.include_usage ?? false;
      const { stallMs } = server.limits;
      return eventStream(chunks(running, withUsage), { stallMs, onEnd: end });
    } catch (error) {
      generation.close();
      throw error;
    }
  },
});

/** @throws ApiError for what would change the answer and is not known */
function expectKnown(body: CompletionRequest): void {
  expectUnused(body, { suffix: "leave it out" });
  const { best_of: best, n, stream, echo, logprobs } = body;
  if (best !== undefined && best !== null && best !== (n ?? 1)) {
    const message = "`best_of` is not supported: ask for `n` texts with `logprobs`, and choose";
    throw badRequest(message, "best_of", "unsupported_parameter");
  }
  if (stream && echo && hasLogprobs(logprobs)) {
    const message =
      "`echo` with `logprobs` comes whole: how likely a prompt was is known at the end";
    throw badRequest(message, "stream", "unsupported_parameter");
  }
}

const hasLogprobs = (asked: CompletionRequest["logprobs"]): boolean =>
  asked !== undefined && asked !== null && asked !== false;

function formOf({ echo, logprobs }: CompletionRequest): CompletionForm {
  const named = typeof logprobs === "number" ? logprobs : 0;
  return { echo: echo ?? false, logprobs: hasLogprobs(logprobs) ? named : null };
}

function requestOf(
  engine: Engine,
  prompt: Prompt["ids"],
  how: {
    readonly body: CompletionRequest;
    readonly form: CompletionForm;
    readonly limits: ServerLimits;
  },
): EngineRequest {
  const { body, form, limits } = how;
  const asked = body.max_tokens ?? usualTokens;
  const { echo, logprobs } = form;
  const mayFill = echo && logprobs !== null;
  const { maxTokens } = fitTokens(engine, prompt, { asked, limits, param: "prompt", mayFill });
  return {
    prompt,
    maxTokens,
    ...readSampling(body),
    ...(logprobs === null ? {} : { logprobs, echoLogprobs: echo }),
  };
}

async function wholeAnswer(running: Running): Promise<object> {
  const { frame, generation, streams, choices, prompts } = running;
  const finishes: EngineFinish[] = [];
  for await (const event of generation.events(streams)) {
    if ("token" in event) choices[event.index].push(event.token);
    else finishes[event.index] = event.finish;
  }
  return {
    ...frame,
    choices: choices.map((choice, index) => ({ index, ...choice.whole(finishes[index]) })),
    usage: usageOf(finishes, prompts),
    timings: timingsOf(finishes[0]),
  };
}

async function* chunks(
  { frame, generation, streams, choices, prompts }: Running,
  withUsage: boolean,
): AsyncGenerator<ServerEvent, void, void> {
  const usual = withUsage ? { usage: null } : {};
  const chunk = (index: number, choice: object, more: object = {}): ServerEvent => {
    const whole = { index, text: "", logprobs: null, finish_reason: null, ...choice };
    return { data: { ...frame, choices: [whole], ...usual, ...more } };
  };
  for (const [index, choice] of choices.entries()) {
    const opening = choice.opening();
    if (opening) yield chunk(index, opening);
  }
  const finishes: EngineFinish[] = [];
  for await (const event of generation.events(streams)) {
    const { index } = event;
    if ("token" in event) {
      const delta = choices[index].delta(event.token);
      if (delta) yield chunk(index, delta);
      continue;
    }
    finishes[index] = event.finish;
    const reason = { finish_reason: finishReason(event.finish.finishReason) };
    yield chunk(index, reason, { timings: timingsOf(event.finish) });
  }
  if (withUsage) {
    const usage = usageOf(finishes, prompts);
    yield { data: { ...frame, choices: [], usage, timings: timingsOf(finishes[0]) } };
  }
  yield { data: "[DONE]" };
}
