import type * as z from "zod";
import { badRequest } from "../api-error.ts";
import { writeChat } from "../generation/plan-chat.ts";
import { defineRoute } from "../route.ts";
import { detokenizeAnswer, templateAnswer, tokenizeAnswer } from "../schemas/answers.ts";
import { templateRequest } from "../schemas/chat.ts";
import { detokenizeRequest, tokenizeRequest } from "../schemas/completion.ts";
import { type ServerContext, type UsedModel, useModel } from "../server-context.ts";

/** Uses a model for something that is done at once. */
async function withModel(
  server: ServerContext,
  name: string | null | undefined,
  use: (model: UsedModel) => object,
): Promise<Response> {
  const model = await useModel(server, name);
  try {
    return Response.json(use(model));
  } finally {
    model.release();
  }
}

/** `POST /tokenize` */
export const tokenizeRoute = defineRoute<z.output<typeof tokenizeRequest>>({
  method: "POST",
  path: "/tokenize",
  summary: "Says which tokens a text has.",
  body: tokenizeRequest,
  answer: tokenizeAnswer,
  answerCall: (server, { body }) =>
    withModel(server, body.model, ({ engine }) => {
      const text = body.content ?? body.prompt;
      if (text === undefined || text === null) throw badRequest("`content` is missing", "content");
      const { tokenizer } = engine.model;
      const addSpecial = body.add_special ?? body.add_special_tokens ?? false;
      const tokens = [...(addSpecial ? tokenizer.startIds : []), ...tokenizer.encode(text)];
      return { tokens, count: tokens.length, max_model_len: engine.maxContext };
    }),
});

/** `POST /detokenize` */
export const detokenizeRoute = defineRoute<z.output<typeof detokenizeRequest>>({
  method: "POST",
  path: "/detokenize",
  summary: "Says which text tokens have.",
  body: detokenizeRequest,
  answer: detokenizeAnswer,
  answerCall: (server, { body }) =>
    withModel(server, body.model, ({ engine }) => {
      const { tokenizer, config } = engine.model;
      const unknown = body.tokens.find((id) => id >= config.vocabularySize);
      if (unknown !== undefined) {
        const vocabulary = `the vocabulary of ${config.vocabularySize} tokens`;
        throw badRequest(`token ${unknown} is not in ${vocabulary}`, "tokens");
      }
      const text = tokenizer.decode(body.tokens);
      return { content: text, prompt: text };
    }),
});

/** `POST /apply-template` */
export const templateRoute = defineRoute<z.output<typeof templateRequest>>({
  method: "POST",
  path: "/apply-template",
  summary: "Writes a conversation as the model reads it.",
  body: templateRequest,
  answer: templateAnswer,
  answerCall: (server, { body }) =>
    withModel(server, body.model, ({ engine }) => ({ prompt: writeChat(engine, body) })),
});
