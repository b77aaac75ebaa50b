import { defineRoute } from "../route.ts";
import {
  healthAnswer,
  type ModelAnswer,
  modelAnswer,
  modelsAnswer,
  propsAnswer,
} from "../schemas/answers.ts";
import { type ServerContext, unknownModel } from "../server-context.ts";
import { version } from "../../util/version.ts";

function modelList({ pool, startedAt }: ServerContext): ModelAnswer[] {
  return pool.list().map(({ name, state }) => ({
    id: name,
    object: "model",
    created: startedAt,
    owned_by: "fewbit",
    status: { value: state },
  }));
}

/** `GET /v1/models` */
export const modelsRoute = defineRoute({
  method: "GET",
  path: "/v1/models",
  aliases: ["/models"],
  summary: "Lists the models.",
  answer: modelsAnswer,
  answerCall: async (server) => Response.json({ object: "list", data: modelList(server) }),
});

/** `GET /v1/models/{model}` */
export const modelRoute = defineRoute({
  method: "GET",
  path: "/v1/models/{model}",
  aliases: ["/models/{model}"],
  summary: "Describes one model.",
  answer: modelAnswer,
  async answerCall(server, { params: { model } }) {
    const described = modelList(server).find(({ id }) => id === model);
    if (!described) throw unknownModel(server, model);
    return Response.json(described);
  },
});

/** `GET /health` */
export const healthRoute = defineRoute({
  method: "GET",
  path: "/health",
  aliases: ["/v1/health"],
  summary: "Says that the server is there.",
  answer: healthAnswer,
  isOpen: true,
  answerCall: async () => Response.json({ status: "ok" }),
});

/** `GET /metrics` */
export const metricsRoute = defineRoute({
  method: "GET",
  path: "/metrics",
  summary: "Counts and times, for Prometheus.",
  mediaType: "text/plain",
  answerCall: async ({ metrics, pool }) =>
    new Response(metrics.text(pool), {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    }),
});

/** `GET /props` */
export const propsRoute = defineRoute({
  method: "GET",
  path: "/props",
  summary: "Describes the server and its models.",
  answer: propsAnswer,
  answerCall: async ({ pool, limits }) =>
    Response.json({
      build_info: `fewbit ${version}`,
      limits,
      models: pool.list().map(({ name, state, uses, bytes, stats, options }) => ({
        name,
        state,
        uses,
        bytes,
        options,
        stats,
      })),
    }),
});
