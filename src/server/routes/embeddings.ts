import { badRequest } from "../api-error.ts";
import { expectChoices } from "../generation/expect-fields.ts";
import { readPrompts } from "../generation/read-prompts.ts";
import { RequestEnd } from "../generation/request-end.ts";
import { defineRoute } from "../route.ts";
import { embeddingAnswer } from "../schemas/answers.ts";
import { type EmbeddingRequest, embeddingRequest } from "../schemas/completion.ts";
import { useModel } from "../server-context.ts";
import { toBase64 } from "../../platform/node.ts";

/** `POST /v1/embeddings` */
export const embeddingsRoute = defineRoute<EmbeddingRequest>({
  method: "POST",
  path: "/v1/embeddings",
  aliases: ["/embeddings"],
  summary: "Turns texts into vectors: the mean of their last hidden states, of length 1.",
  body: embeddingRequest,
  answer: embeddingAnswer,
  async answerCall(server, { body, signal }) {
    const model = await useModel(server, body.model);
    const end = new RequestEnd(server.limits, signal);
    try {
      const { engine } = model;
      const { hiddenSize } = engine.model.config;
      const { dimensions, encoding_format: form } = body;
      if (dimensions && dimensions !== hiddenSize) {
        throw badRequest(`this model's vectors have ${hiddenSize} numbers`, "dimensions");
      }
      const texts = readPrompts(engine.model, body.input, "input");
      expectChoices(texts.length, { ...server.limits, choices: mostTexts });
      const data: object[] = [];
      for (const [index, { ids }] of texts.entries()) {
        const vector = await engine.embed(ids, end);
        const embedding = form === "base64" ? toBase64(vector) : [...vector];
        data.push({ object: "embedding", index, embedding });
      }
      const tokens = texts.reduce((sum, { ids }) => sum + ids.length, 0);
      const usage = { prompt_tokens: tokens, total_tokens: tokens };
      return Response.json({ object: "list", data, model: model.name, usage });
    } catch (error) {
      throw end.explain(error);
    } finally {
      end.close();
      model.release();
    }
  },
});

/** OpenAI's own limit. */
const mostTexts = 2048;
