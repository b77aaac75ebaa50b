import { parseJson } from "./json.ts";

/** A record of a JSON file: one of its lines, or an item of the array that it is. */
export interface JsonRecord {
  readonly value: unknown;
  /** For errors: `texts.jsonl, line 3`, of an array `texts.json, item 3`. */
  readonly where: string;
}

/**
 * Parses JSON lines one by one, as they are asked for; empty lines are skipped. A text that is one
 * array has a record an item; one value over several lines is a record by itself.
 * @throws FormatError that names file and line, with `hint`, when one is not JSON
 */
export function parseJsonRecords(text: string, path: string, hint: string): Iterable<JsonRecord> {
  const whole = parseWhole(text);
  if (whole === undefined) return parseLines(text, path, hint);
  if (!Array.isArray(whole)) return [{ value: whole, where: path }];
  return whole.map((value: unknown, index) => ({ value, where: `${path}, item ${index + 1}` }));
}

/** The value of a text that is one array, or one object over several lines; undefined for lines. */
function parseWhole(text: string): unknown {
  const start = text.search(/\S/);
  const isObject = text[start] === "{";
  if (!isObject && text[start] !== "[") return undefined;
  const end = text.indexOf("\n", start);
  const isLine = isObject && parsed(end < 0 ? text : text.slice(start, end)) !== undefined;
  return isLine ? undefined : parsed(text);
}

function parsed(text: string): unknown {
  try {
    return parseJson(text, "the text");
  } catch {
    return undefined;
  }
}

function* parseLines(text: string, path: string, hint: string): Generator<JsonRecord> {
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const where = `${path}, line ${index + 1}`;
    yield { value: parseJson(line, where, hint), where };
  }
}
