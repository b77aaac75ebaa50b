import { serve } from "@hono/node-server";
import { systemErrorCode } from "../platform/node.ts";
import type { ModelPool } from "../runtime/serving/model-pool.ts";
import { UsageError } from "../util/errors.ts";
import { type Access, createApp } from "./app.ts";
import { GrammarShelf } from "./grammar/grammar-shelf.ts";
import { defaultLimits, type ServerLimits } from "./limits.ts";
import { refuseClient } from "./refuse-client.ts";
import type { Asset } from "./server-context.ts";
import { ServerMetrics } from "./server-metrics.ts";

/** How a server is reached, and by whom. */
export interface ServerOptions {
  /** Address to listen at; default 127.0.0.1. */
  readonly host?: string;
  /** Port; default 8080, 0 for any that is free. */
  readonly port?: number;
  readonly apiKey?: string | null;
  readonly corsOrigins?: readonly string[] | null;
  readonly limits?: Partial<ServerLimits>;
  /** Files of the chat page by their path in URLs. */
  readonly assets?: ReadonlyMap<string, Asset>;
  /** Takes errors that are the server's own. */
  readonly onError?: (error: unknown) => void;
}

/** A server that runs. */
export interface RunningServer {
  readonly url: string;
  readonly port: number;
  /**
   * Takes no more requests; what is not answered after `deadlineMs` is cut. Gives the memory of all
   * models back.
   */
  close(deadlineMs?: number): Promise<void>;
}

/** Slow and broken clients get so long for the head and for the whole of a request. */
const headMs = 20_000;
const bodyMs = 120_000;

const largestPort = 65_535;
const loopback = new Set(["127.0.0.1", "::1", "localhost"]);

/**
 * Serves the models of a pool, which it takes over.
 * @throws UsageError when the address cannot be listened at
 */
export async function startServer(
  pool: ModelPool,
  options: ServerOptions = {},
): Promise<RunningServer> {
  const { host = "127.0.0.1", port = 8080, assets = new Map() } = options;
  if (!Number.isInteger(port) || port < 0 || port > largestPort) {
    throw new UsageError(`expected a port from 0 to ${largestPort}, got ${port}`, {
      field: "port",
    });
  }
  const limits = { ...defaultLimits, ...options.limits };
  const context = {
    pool,
    limits,
    assets,
    metrics: new ServerMetrics(),
    grammars: new GrammarShelf(limits.schemaMs),
    startedAt: Math.floor(Date.now() / 1000),
  };
  const app = createApp(context, accessOf(options, host));
  const { server, actual } = await listen(app.fetch, { host, port, limits });
  const shown = host.includes(":") ? `[${host}]` : host;
  return {
    url: `http://${shown}:${actual}`,
    port: actual,
    close: (deadlineMs = 0) => closeServer(server, pool, deadlineMs),
  };
}

function accessOf({ apiKey, corsOrigins, onError }: ServerOptions, host: string): Access {
  return {
    apiKey: apiKey ?? null,
    corsOrigins: corsOrigins ?? null,
    hostNames: loopback.has(host) ? new Set(["127.0.0.1", "[::1]", "localhost"]) : null,
    ...(onError ? { onError } : {}),
  };
}

type Server = ReturnType<typeof serve>;

function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  how: { readonly host: string; readonly port: number; readonly limits: ServerLimits },
): Promise<{ readonly server: Server; readonly actual: number }> {
  const { host, port, limits } = how;
  return new Promise((resolve, reject) => {
    const serverOptions = { headersTimeout: headMs, requestTimeout: bodyMs };
    const server = serve({ fetch, hostname: host, port, serverOptions }, (address) =>
      resolve({ server, actual: address.port }),
    );
    if ("maxConnections" in server || "setTimeout" in server)
      server.maxConnections = limits.connections;
    if ("requestTimeout" in server) server.on("clientError", refuseClient);
    server.once("error", (cause) => reject(listenError(cause, host, port)));
  });
}

function listenError(cause: Error, host: string, port: number): UsageError {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: "something else listens there",
    EACCES: "that needs more rights",
    EADDRNOTAVAIL: "this machine has no such address",
    ENOTFOUND: "this machine has no such address",
  };
  const reason = reasons[systemErrorCode(cause) ?? ""] ?? cause.message;
  return new UsageError(`cannot listen at ${host}, port ${port}: ${reason}`, {
    cause,
    hint: "choose another one: `port: 0` takes any that is free",
    field: "port",
    value: port,
  });
}

/** Connections end when they have been answered, and at the deadline all of them. */
async function closeServer(server: Server, pool: ModelPool, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  if ("closeIdleConnections" in server) server.closeIdleConnections();
  await pool.close(deadlineMs);
  const grace = setTimeout(() => {
    if ("closeAllConnections" in server) server.closeAllConnections();
  }, lastWordsMs);
  if ("closeIdleConnections" in server) server.closeIdleConnections();
  await closed;
  clearTimeout(grace);
}

/** What the engine has ended is still to be written: the last pieces, and errors of what was cut. */
const lastWordsMs = 500;
