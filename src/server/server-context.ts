import type { EngineLease, ModelPool } from "../runtime/serving/model-pool.ts";
import { EngineClosedError } from "../runtime/serving/serving-errors.ts";
import { ApiError } from "./api-error.ts";
import type { GrammarShelf } from "./grammar/grammar-shelf.ts";
import type { ServerLimits } from "./limits.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** A file of the chat page. */
export interface Asset {
  readonly bytes: Uint8Array;
  readonly type: string;
}

/** What all routes share. */
export interface ServerContext {
  readonly pool: ModelPool;
  readonly limits: ServerLimits;
  readonly metrics: ServerMetrics;
  readonly grammars: GrammarShelf;
  /** Files of the chat page by their path in URLs, `/` among them; read at the start. */
  readonly assets: ReadonlyMap<string, Asset>;
  /** Seconds since 1970 at which the server began. */
  readonly startedAt: number;
}

/** A model for as long as a request needs it. */
export interface UsedModel extends EngineLease {
  readonly name: string;
}

/**
 * Loads the model that a request names, unless it is there; the first one where it names none.
 * @throws ApiError 404 for a name that no model has
 */
export async function useModel(
  { pool }: ServerContext,
  asked: string | null | undefined,
): Promise<UsedModel> {
  const name = asked || pool.list()[0].name;
  if (!pool.has(name)) throw unknownModel({ pool }, name);
  try {
    const lease = await pool.acquire(name);
    return { name, engine: lease.engine, release: () => lease.release() };
  } catch (cause) {
    if (cause instanceof EngineClosedError) throw cause;
    const code = "model_not_loaded";
    throw new ApiError(503, `the model "${name}" cannot be loaded now`, { code, cause });
  }
}

/** Says which models there are instead of one that is not. */
export function unknownModel({ pool }: Pick<ServerContext, "pool">, name: string): ApiError {
  const names = pool.list().map((model) => model.name);
  const said = name.length <= 100 ? name : `${name.slice(0, 100)}…`;
  return new ApiError(404, `there is no model "${said}"; there are: ${names.join(", ")}`, {
    param: "model",
    code: "model_not_found",
  });
}
