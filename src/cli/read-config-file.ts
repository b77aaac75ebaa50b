import { readText } from "../platform/node.ts";
import { FormatError, UsageError } from "../util/errors.ts";
import { parseJson } from "../util/json.ts";

/**
 * Reads a JSON file that a person wrote, or JSON that stands in place of its path.
 * @throws UsageError when it is not a JSON object; FormatError when it is missing
 */
export async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  const isInline = /^\s*[{[]/.test(path);
  const text = isInline ? path : await readText(path);
  const name = isInline ? "the configuration" : path;
  let value: unknown;
  try {
    value = parseJson(text, name);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new UsageError(cause.message, {
      hint: isInline ? "quote it for the shell: '{ ... }'" : "name a file of JSON",
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new UsageError(`${name}: expected a JSON object, such as { "model": { ... } }`);
}
