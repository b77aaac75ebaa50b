import type { Engine } from "../../runtime/serving/engine.ts";
import { badRequest } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";

/** What a request says of its length. */
interface AskedTokens {
  /** Tokens that it asks for; null for as many as there is room for. */
  readonly asked: number | null;
  readonly limits: ServerLimits;
  /** The field that holds the prompt. */
  readonly param: string;
  /** Whether the prompt itself is of interest: then it may fill the context. */
  readonly mayFill?: boolean;
}

/**
 * Says how many tokens may follow a prompt: those asked for, as far as the server's limit and the
 * context go.
 * @throws ApiError when the prompt is empty or fills the context
 */
export function fitTokens(
  engine: Engine,
  prompt: readonly number[],
  { asked, limits, param, mayFill = false }: AskedTokens,
): { readonly maxTokens: number } {
  if (prompt.length === 0) throw badRequest("the prompt is empty", param);
  const room = engine.maxContext - prompt.length;
  if (room < (mayFill || asked === 0 ? 0 : 1)) {
    const message =
      `the prompt has ${prompt.length} tokens, and the context ${engine.maxContext}: ` +
      "there is no room for an answer";
    throw badRequest(message, param, "context_length_exceeded");
  }
  return { maxTokens: Math.min(asked ?? room, room, limits.tokens) };
}
