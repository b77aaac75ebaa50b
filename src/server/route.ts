import type * as z from "zod";
import type { ServerContext } from "./server-context.ts";

/** One request to a route. */
export interface Call<Body> {
  readonly body: Body;
  /** What stands in the path where the route has names in braces. */
  readonly params: Readonly<Record<string, string>>;
  /** Aborted when the client has gone away. */
  readonly signal: AbortSignal;
  /** To be called when an answer that comes in pieces has ended. */
  readonly onEnd: (status: number) => void;
}

/** An address of the interface. The OpenAPI document is made of these. */
export interface Route<Body = unknown> {
  readonly method: "GET" | "POST";
  /** Parts in braces stand for any name: `/v1/models/{model}`. */
  readonly path: string;
  /** The same under other paths. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly body?: z.ZodType<Body>;
  /** What the answer looks like; its media type is JSON unless it says otherwise. */
  readonly answer?: z.ZodType;
  readonly mediaType?: string;
  /** Whether it answers without a key. */
  readonly isOpen?: boolean;
  /** Whether answers may come in pieces: then the route itself says when one has ended. */
  readonly streams?: boolean;
  readonly answerCall: (server: ServerContext, call: Call<Body>) => Promise<Response>;
}

/** Declares a route whose handler knows the type of its body. */
export function defineRoute<Body = undefined>(route: Route<Body>): Route {
  return route as Route;
}
