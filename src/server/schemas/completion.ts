import * as z from "zod";
import { responseFormat } from "./chat.ts";
import { samplingFields } from "./sampling.ts";

const ids = z.array(z.int().nonnegative());

/** Texts or rows of token ids, one or several. */
const textsOrIds = z.union([z.string(), ids, z.array(z.string()), z.array(ids)]);

/** `POST /v1/completions`. */
export const completionRequest = z.looseObject({
  ...samplingFields,
  prompt: textsOrIds.describe("texts or token ids to continue"),
  max_tokens: z.int().min(0).nullish().describe("tokens to write at most; default 16"),
  echo: z.boolean().nullish().describe("give the prompt back in front of its continuation"),
  logprobs: z
    .union([z.int().min(0).max(20), z.boolean()])
    .nullish()
    .describe("name so many of the likeliest tokens"),
  best_of: z.int().nullish().describe("refused above `n`"),
  suffix: z.string().nullish().describe("refused"),
  response_format: responseFormat.nullish(),
});

export type CompletionRequest = z.output<typeof completionRequest>;

/** `POST /v1/embeddings`. */
export const embeddingRequest = z.looseObject({
  model: samplingFields.model,
  input: textsOrIds.describe("texts or token ids"),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  dimensions: z.int().nullish().describe("refused unless it is the model's own"),
});

export type EmbeddingRequest = z.output<typeof embeddingRequest>;

/** `POST /tokenize`: llama-server names the text `content`, vLLM `prompt`. */
export const tokenizeRequest = z.looseObject({
  model: samplingFields.model,
  content: z.string().nullish(),
  prompt: z.string().nullish(),
  add_special: z.boolean().nullish(),
  add_special_tokens: z.boolean().nullish(),
});

/** `POST /detokenize`. */
export const detokenizeRequest = z.looseObject({ model: samplingFields.model, tokens: ids });
