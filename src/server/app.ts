import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { sameSecret } from "../platform/node.ts";
import { ApiError, toApiError } from "./api-error.ts";
import { readBody } from "./read-body.ts";
import type { Route } from "./route.ts";
import { routes } from "./routes/index.ts";
import type { ServerContext } from "./server-context.ts";

/** Who may ask a server. */
export interface Access {
  /** What requests have to bring; null for nothing. */
  readonly apiKey: string | null;
  /** Origins whose pages may ask: `*` or a list; null for none. */
  readonly corsOrigins: readonly string[] | null;
  /** Names that requests may call the server by; null for any. */
  readonly hostNames: ReadonlySet<string> | null;
  /** Takes errors that are the server's own. */
  readonly onError?: (error: unknown) => void;
}

/** Puts the routes together: all that is said over HTTP, and nothing of sockets. */
export function createApp(server: ServerContext, access: Access): Hono {
  const app = new Hono();
  const { corsOrigins, hostNames } = access;
  app.onError((error) => answerError(error, access));
  app.notFound(({ req }) =>
    new ApiError(404, `there is no ${req.method} ${req.path}`, { code: "not_found" }).toResponse(),
  );
  if (hostNames) app.use((context, next) => expectHost(context, hostNames).then(next));
  if (corsOrigins) {
    const origin = corsOrigins.includes("*") ? "*" : [...corsOrigins];
    app.use(cors({ origin, allowMethods: ["GET", "POST"] }));
  }
  for (const route of routes) addRoute(app, server, { route, access });
  addAssets(app, server);
  return app;
}

function answerError(error: unknown, access: Access): Response {
  const known = toApiError(error);
  if (known.status >= 500 && known.apiCode === "internal_error") access.onError?.(error);
  return known.toResponse();
}

/** A page of another site that has its name lead to this machine is turned away. */
async function expectHost({ req }: Context, names: ReadonlySet<string>): Promise<void> {
  const host = (req.header("host") ?? "").replace(/:\d+$/, "").toLowerCase();
  if (names.has(host)) return;
  throw new ApiError(403, `this server is not called "${host}"`, { code: "unknown_host" });
}

function expectKey({ req }: Context, apiKey: string | null): void {
  if (apiKey === null) return;
  const header = req.header("authorization") ?? "";
  const given = /^Bearer\s+(.+)$/i.exec(header)?.[1] ?? req.header("x-api-key") ?? "";
  if (sameSecret(given.trim(), apiKey)) return;
  const message = given === "" ? "an API key is needed" : "the API key is wrong";
  throw new ApiError(401, `${message}: send it as "Authorization: Bearer …"`, {
    type: "authentication_error",
    code: "invalid_api_key",
    headers: { "www-authenticate": "Bearer" },
  });
}

function addRoute(
  app: Hono,
  server: ServerContext,
  { route, access }: { readonly route: Route; readonly access: Access },
): void {
  for (const name of [route.path, ...(route.aliases ?? [])]) {
    const path = name.replace(/\{(\w+)\}/g, ":$1");
    app.on(route.method, path, (context) => answer(context, server, { route, access }));
    refuseOthers(app, path, route.method);
  }
}

/** Says which method a path takes, to requests with any other one. */
function refuseOthers(app: Hono, path: string, method: Route["method"]): void {
  const headers = { allow: method === "GET" ? "GET, HEAD" : method };
  app.all(path, ({ req }) => {
    const message = `${req.path} takes ${method}, not ${req.method}`;
    throw new ApiError(405, message, { code: "method_not_allowed", headers });
  });
}

async function answer(
  context: Context,
  server: ServerContext,
  { route, access }: { readonly route: Route; readonly access: Access },
): Promise<Response> {
  const onEnd = server.metrics.begin(route.path);
  const request = context.req.raw;
  try {
    if (!route.isOpen) expectKey(context, access.apiKey);
    const { bodyBytes } = server.limits;
    const body = route.body ? await readBody(request, route.body, bodyBytes) : undefined;
    const response = await route.answerCall(server, {
      body,
      params: context.req.param(),
      signal: request.signal,
      onEnd,
    });
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
    if (!isStream) onEnd(response.status);
    return response;
  } catch (error) {
    const known = toApiError(error);
    onEnd(known.status);
    throw error;
  }
}

/** Pages may load nothing from elsewhere, and stand in no frame. */
const pageHeaders = {
  "content-security-policy":
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; " +
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/** The chat page: its paths are known from the start, so that none of a request reaches a file. */
function addAssets(app: Hono, { assets }: ServerContext): void {
  for (const [path, { bytes, type }] of assets) {
    app.get(path, () => {
      // A copy of its own, as the types of bodies want it.
      return new Response(new Uint8Array(bytes), {
        headers: { ...pageHeaders, "content-type": type },
      });
    });
    refuseOthers(app, path, "GET");
  }
}
