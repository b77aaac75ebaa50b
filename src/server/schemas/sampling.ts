import * as z from "zod";

/** Requests with more texts that end them are no use to anybody. */
const mostStops = 16;
const longestStop = 1000;

const penalty = z.number().min(-2).max(2).nullish();

/** Fields that every request for text has. */
export const samplingFields = {
  model: z.string().max(500).nullish().describe("name of a model; default the first one"),
  stream: z.boolean().nullish().describe("send the answer in pieces, as server-sent events"),
  stream_options: z
    .looseObject({ include_usage: z.boolean().nullish() })
    .nullish()
    .describe("`include_usage`: the last piece says how many tokens there were"),
  temperature: z.number().min(0).max(100).nullish().describe("0 takes the most likely; default 1"),
  top_p: z.number().gt(0).max(1).nullish().describe("draw from the likeliest that sum to this"),
  top_k: z.int().min(-1).nullish().describe("draw from so many; 0 and −1: all"),
  min_p: z.number().min(0).max(1).nullish().describe("draw from those this much as likely"),
  repetition_penalty: z
    .number()
    .min(0.01)
    .max(10)
    .nullish()
    .describe("above 1 speaks against repeats"),
  frequency_penalty: penalty.describe("taken from a logit for each time it was generated"),
  presence_penalty: penalty.describe("taken once from the logit of what was generated"),
  logit_bias: z
    .record(
      z.string().regex(/^\d{1,10}$/, "expected token ids as names"),
      z.number().min(-100).max(100),
    )
    .nullish()
    .describe("added to logits, by token id; −100 forbids a token"),
  seed: z
    .number()
    .min(-(2 ** 63))
    .max(2 ** 64)
    .refine(Number.isInteger, "expected a whole number")
    .nullish()
    .describe("the same seed gives the same tokens"),
  stop: z
    .union([z.string().max(longestStop), z.array(z.string().max(longestStop)).max(mostStops)])
    .nullish()
    .describe("texts that end the answer"),
  ignore_eos: z.boolean().nullish().describe("continue behind tokens that end a text"),
  n: z.int().min(1).max(128).nullish().describe("answers to give"),
};

/** What every request for text says. */
export type SamplingFields = z.output<z.ZodObject<typeof samplingFields>>;
