import { openApiDocument } from "../openapi.ts";
import { defineRoute, type Route } from "../route.ts";
import { chatRoute } from "./chat.ts";
import { completionsRoute } from "./completions.ts";
import { embeddingsRoute } from "./embeddings.ts";
import { responsesRoute } from "./responses.ts";
import { healthRoute, metricsRoute, modelRoute, modelsRoute, propsRoute } from "./state.ts";
import { detokenizeRoute, templateRoute, tokenizeRoute } from "./tokens.ts";

const described: readonly Route[] = [
  chatRoute,
  completionsRoute,
  responsesRoute,
  embeddingsRoute,
  modelsRoute,
  modelRoute,
  tokenizeRoute,
  detokenizeRoute,
  templateRoute,
  healthRoute,
  metricsRoute,
  propsRoute,
];

const documentRoute = defineRoute({
  method: "GET",
  path: "/openapi.json",
  summary: "This document.",
  mediaType: "application/json",
  answerCall: async () => Response.json(openApiDocument(described)),
});

/** All routes of the interface. */
export const routes: readonly Route[] = [...described, documentRoute];
