import * as z from "zod";
import { jsonSchema } from "./chat.ts";
import { samplingFields } from "./sampling.ts";

const part = z.looseObject({ type: z.string(), text: z.string().optional() });

const item = z.looseObject({
  type: z.string().optional(),
  role: z.string().optional(),
  content: z.union([z.string(), z.array(part)]).optional(),
});

const textFormat = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text") }),
  z.looseObject({ type: z.literal("json_object") }),
  z.looseObject({ type: z.literal("json_schema"), schema: jsonSchema, name: z.string().nullish() }),
]);

/** `POST /v1/responses`, the part of it that is text. */
export const responseRequest = z.looseObject({
  model: samplingFields.model,
  input: z.union([z.string(), z.array(item).min(1)]).describe("a text or a conversation"),
  instructions: z.string().nullish().describe("what the model is told before the conversation"),
  max_output_tokens: z.int().min(1).nullish(),
  temperature: samplingFields.temperature,
  top_p: samplingFields.top_p,
  stream: samplingFields.stream,
  text: z.looseObject({ format: textFormat.nullish() }).nullish(),
  tools: z.array(z.unknown()).nullish().describe("refused"),
  previous_response_id: z.string().nullish().describe("refused: nothing is kept"),
  metadata: z.record(z.string(), z.unknown()).nullish(),
});

export type ResponseRequest = z.output<typeof responseRequest>;
