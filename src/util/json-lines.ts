import { FormatError } from "./errors.ts";

/** A line of a JSON lines file. */
export interface JsonLine {
  readonly value: unknown;
  /** For errors: `texts.jsonl, line 3`. */
  readonly where: string;
}

/**
 * Parses JSON lines one by one, as they are asked for; empty lines are skipped.
 * @throws FormatError that names file and line, with `hint`, when one is not JSON
 */
export function* parseJsonLines(text: string, path: string, hint: string): Generator<JsonLine> {
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const where = `${path}, line ${index + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new FormatError(`${where}: not JSON`, { hint, cause });
    }
    yield { value, where };
  }
}
