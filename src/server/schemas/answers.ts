import * as z from "zod";

const usage = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({ cached_tokens: z.int() }),
});

const timings = z
  .object({
    cache_n: z.int().describe("prompt tokens that were cached"),
    queued_ms: z.number(),
    prompt_n: z.int().describe("prompt tokens that were read"),
    prompt_ms: z.number(),
    prompt_per_token_ms: z.number(),
    prompt_per_second: z.number(),
    predicted_n: z.int().describe("tokens written"),
    predicted_ms: z.number(),
    predicted_per_token_ms: z.number(),
    predicted_per_second: z.number(),
    draft_n: z.int(),
    draft_n_accepted: z.int(),
  })
  .describe("of the first choice");

const answer = { id: z.string(), created: z.int(), model: z.string(), usage, timings };

const toolCall = z.object({
  id: z.string(),
  type: z.literal("function"),
  function: z.object({ name: z.string(), arguments: z.string() }),
});

const tokenLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()) });

const chatLogprobs = z.object({
  content: z.array(tokenLogprob.extend({ top_logprobs: z.array(tokenLogprob) })),
  refusal: z.null(),
});

/** What `POST /v1/chat/completions` answers. */
export const chatAnswer = z.object({
  ...answer,
  object: z.literal("chat.completion"),
  choices: z.array(
    z.object({
      index: z.int(),
      message: z.object({
        role: z.literal("assistant"),
        content: z.string().nullable(),
        refusal: z.null(),
        tool_calls: z.array(toolCall).optional(),
      }),
      logprobs: chatLogprobs.nullable(),
      finish_reason: z.enum(["stop", "length", "tool_calls"]),
    }),
  ),
});

/** What `POST /v1/completions` answers. */
export const completionAnswer = z.object({
  ...answer,
  object: z.literal("text_completion"),
  choices: z.array(
    z.object({
      index: z.int(),
      text: z.string(),
      logprobs: z
        .object({
          tokens: z.array(z.string()),
          token_logprobs: z.array(z.number().nullable()),
          top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullable(),
          text_offset: z.array(z.int()),
        })
        .nullable(),
      finish_reason: z.enum(["stop", "length"]),
    }),
  ),
});

/** What `POST /v1/embeddings` answers. */
export const embeddingAnswer = z.object({
  object: z.literal("list"),
  data: z.array(
    z.object({
      object: z.literal("embedding"),
      index: z.int(),
      embedding: z.union([z.array(z.number()), z.string().describe("base64 of float32")]),
    }),
  ),
  model: z.string(),
  usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
});

/** What `GET /v1/models/{model}` answers. */
export const modelAnswer = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: z.int(),
  owned_by: z.string(),
  status: z.object({ value: z.enum(["unloaded", "loading", "loaded"]) }),
});

export type ModelAnswer = z.output<typeof modelAnswer>;

/** What `GET /v1/models` answers. */
export const modelsAnswer = z.object({ object: z.literal("list"), data: z.array(modelAnswer) });

/** What `POST /v1/responses` answers. */
export const responseAnswer = z.looseObject({
  id: z.string(),
  object: z.literal("response"),
  created_at: z.int(),
  status: z.enum(["in_progress", "completed", "incomplete", "failed"]),
  model: z.string(),
  output: z.array(
    z.object({
      id: z.string(),
      type: z.literal("message"),
      role: z.literal("assistant"),
      status: z.string(),
      content: z.array(
        z.object({
          type: z.literal("output_text"),
          text: z.string(),
          annotations: z.array(z.never()),
        }),
      ),
    }),
  ),
  usage: z
    .object({ input_tokens: z.int(), output_tokens: z.int(), total_tokens: z.int() })
    .loose()
    .nullable(),
});

/** What `POST /tokenize` answers. */
export const tokenizeAnswer = z.object({
  tokens: z.array(z.int()),
  count: z.int(),
  max_model_len: z.int(),
});

/** What `POST /detokenize` answers: the text under both of its usual names. */
export const detokenizeAnswer = z.object({ content: z.string(), prompt: z.string() });

/** What `POST /apply-template` answers. */
export const templateAnswer = z.object({ prompt: z.string() });

/** What `GET /health` answers. */
export const healthAnswer = z.object({ status: z.literal("ok") });

/** What `GET /props` answers. */
export const propsAnswer = z.looseObject({
  build_info: z.string(),
  limits: z.record(z.string(), z.number()),
  models: z.array(z.looseObject({ name: z.string(), state: z.string() })),
});

/** What all errors look like. */
export const errorAnswer = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});
