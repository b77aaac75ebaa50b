import type * as z from "zod";
import { FormatError } from "../util/errors.ts";
import { parseJson } from "../util/json.ts";
import { parseValue } from "../util/parse-value.ts";
import { ApiError, badRequest } from "./api-error.ts";

/**
 * Reads the body of a request as JSON and checks it.
 * @throws ApiError 413 for one that is too large, 415 for one that is no JSON, 400 for one that is malformed
 */
export async function readBody<T>(
  request: Request,
  schema: z.ZodType<T>,
  mostBytes: number,
): Promise<T> {
  const type = request.headers.get("content-type") ?? "";
  // Forms and plain text are what other sites' pages can send without asking.
  if (!/^application\/([\w.-]+\+)?json\b/i.test(type)) {
    throw new ApiError(415, `expected a body of the type application/json, got "${type}"`);
  }
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw new ApiError(415, `expected a body that is not compressed, got "${encoding}"`);
  }
  const text = await readText(request, mostBytes);
  return checkBody(schema, parse(text));
}

/** @throws ApiError 400 that names the field as clients do: `messages.0.content` */
export function checkBody<T>(schema: z.ZodType<T>, body: unknown): T {
  return parseValue(schema, body, ({ path, message, hint }) => {
    const param = path.length === 0 ? null : path.join(".");
    const where = param === null ? "the body" : `\`${param}\``;
    const colon = message.startsWith("is ") ? "" : ":";
    return badRequest(`${where}${colon} ${message}${hint === undefined ? "" : `; ${hint}`}`, param);
  });
}

function parse(text: string): unknown {
  try {
    return parseJson(text, "the body");
  } catch (error) {
    if (error instanceof FormatError) throw badRequest(error.message, null, "invalid_json");
    throw error;
  }
}

async function readText(request: Request, mostBytes: number): Promise<string> {
  const tooLarge = (): ApiError =>
    new ApiError(413, `the body is larger than ${mostBytes} bytes`, { code: "body_too_large" });
  if (Number(request.headers.get("content-length") ?? 0) > mostBytes) throw tooLarge();
  const reader = request.body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let bytes = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      bytes += next.value.length;
      if (bytes > mostBytes) throw tooLarge();
      text += decoder.decode(next.value, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw badRequest("the body is not UTF-8", null, "invalid_json");
    if (!(error instanceof ApiError))
      throw badRequest("the body is not whole", null, "invalid_json");
    await reader.cancel().catch(() => {});
    throw error;
  }
}
