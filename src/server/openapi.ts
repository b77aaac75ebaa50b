import * as z from "zod";
import { version } from "../util/version.ts";
import type { Route } from "./route.ts";
import { errorAnswer } from "./schemas/answers.ts";

function schemaOf(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}

const json = (schema: object): object => ({ "application/json": { schema } });

/** Names in braces are the parameters of a path. */
function parametersOf(path: string): object[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  return names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } }));
}

function operationOf(route: Route): object {
  const { path, summary, body, answer, mediaType, streams, isOpen } = route;
  const parameters = parametersOf(path);
  const content = answer ? json(schemaOf(answer, "output")) : { [mediaType ?? "text/plain"]: {} };
  const events = streams ? { "text/event-stream": { schema: { type: "string" } } } : {};
  return {
    summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { required: true, content: json(schemaOf(body, "input")) } } : {}),
    responses: {
      "200": { description: "the answer", content: { ...content, ...events } },
      default: { $ref: "#/components/responses/Error" },
    },
    ...(isOpen ? { security: [] } : {}),
  };
}

/** Describes routes as an OpenAPI 3.1 document, from the schemas that requests are checked with. */
export function openApiDocument(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    paths[route.path][route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "fewbit",
      version,
      description: "Runs quantized language models behind OpenAI's interface.",
    },
    paths,
    components: {
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
      responses: {
        Error: { description: "an error", content: json(schemaOf(errorAnswer, "output")) },
      },
    },
    security: [{ key: [] }],
  };
}
