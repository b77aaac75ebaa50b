import * as z from "zod";
import { samplingFields } from "./sampling.ts";

/** A part of what is said. */
const contentPart = z.looseObject({ type: z.string(), text: z.string().optional() });

const toolCall = z.looseObject({
  id: z.string().nullish(),
  type: z.literal("function").default("function"),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
});

const message = z.looseObject({
  role: z.string().min(1).max(50),
  content: z.union([z.string(), z.array(contentPart)]).nullish(),
  name: z.string().nullish(),
  tool_calls: z.array(toolCall).nullish(),
  tool_call_id: z.string().nullish(),
});

/** A JSON schema as a client sends it. */
export const jsonSchema = z.record(z.string(), z.unknown());

const tool = z.looseObject({
  type: z.literal("function"),
  function: z.looseObject({
    name: z.string().regex(/^[\w.-]{1,64}$/, "expected letters, digits, _, - and ."),
    description: z.string().nullish(),
    parameters: jsonSchema.nullish(),
    strict: z.boolean().nullish(),
  }),
});

const toolChoice = z.union([
  z.enum(["none", "auto", "required"]),
  z.looseObject({ type: z.literal("function"), function: z.looseObject({ name: z.string() }) }),
]);

/** What the answer's text must be. */
export const responseFormat = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text") }),
  z.looseObject({ type: z.literal("json_object") }),
  z.looseObject({
    type: z.literal("json_schema"),
    json_schema: z.looseObject({
      name: z.string().nullish(),
      schema: jsonSchema,
      strict: z.boolean().nullish(),
    }),
  }),
]);

/** `POST /v1/chat/completions`. */
export const chatRequest = z.looseObject({
  ...samplingFields,
  messages: z.array(message).min(1).describe("the conversation"),
  max_completion_tokens: z.int().min(1).nullish().describe("tokens to write at most"),
  max_tokens: z.int().min(1).nullish().describe("older name of max_completion_tokens"),
  logprobs: z.boolean().nullish().describe("say how likely each token was"),
  top_logprobs: z.int().min(0).max(20).nullish().describe("name the likeliest tokens, too"),
  response_format: responseFormat.nullish(),
  tools: z.array(tool).max(128).nullish().describe("functions that the model may call"),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish().describe("several calls at once; default true"),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
});

export type ChatRequest = z.output<typeof chatRequest>;
export type RequestMessage = ChatRequest["messages"][number];
export type RequestTool = z.output<typeof tool>;
export type ToolChoice = z.output<typeof toolChoice>;
export type ResponseFormat = z.output<typeof responseFormat>;

/** `POST /apply-template`. */
export const templateRequest = z.looseObject({
  model: samplingFields.model,
  messages: z.array(message).min(1),
  tools: z.array(tool).max(128).nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
});
