import { baseName, readText } from "../platform/node.ts";
import { FormatError } from "../util/errors.ts";
import { isJsonRecord, type JsonRecord, parseJson } from "../util/json.ts";

const largestJson = 100_000_000;

/** Reads a JSON object of at most 100 MB. @throws FormatError when the file is missing or other */
export async function readJsonObject(path: string): Promise<JsonRecord> {
  const hint = `download ${path} again`;
  const value = parseJson(await readText(path, largestJson), baseName(path), hint);
  if (!isJsonRecord(value)) {
    throw new FormatError(`${baseName(path)}: expected a JSON object`, { hint });
  }
  return value;
}

/** Writes JSON as it stands in checkpoints: two spaces, a newline at the end. */
export function formatJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

const member = /"(\w+)":\s*(-?\d+)(\.0+)?(?=\s*[,}\n])/g;

/**
 * Writes JSON whose members are mostly those of a JSON text: whole numbers that are floats there
 * (`30.0`) stay floats, since Python tells the two apart.
 */
export function formatJsonLike(value: unknown, text: string | null): string {
  const floats = new Map(
    [...(text ?? "").matchAll(member)].flatMap(([, name, whole, fraction]) =>
      fraction === undefined ? [] : [[`${name} ${whole}`, `${whole}${fraction}`] as const],
    ),
  );
  return formatJson(value).replaceAll(member, (all, name: string, whole: string) => {
    const float = floats.get(`${name} ${whole}`);
    return float === undefined ? all : `"${name}": ${float}`;
  });
}
