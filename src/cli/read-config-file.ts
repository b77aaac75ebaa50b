import { readText } from "../platform/node.ts";
import { UsageError } from "../util/errors.ts";

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
    value = JSON.parse(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${name} is not JSON: ${detail}`, {
      hint: isInline ? "quote it for the shell: '{ ... }'" : "name a file of JSON",
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new UsageError(`${name}: expected a JSON object, such as { "model": { ... } }`);
}
