import { FormatError } from "./errors.ts";

/** A JSON object whose members are not known. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** Tells whether a value is a JSON object (not null, not an array). */
export function isJsonRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Deepest nesting of lists and objects that is read; real files have less than twenty. */
export const deepestJson = 200;

/**
 * Reads JSON that somebody else wrote. What is nested deeper than `deepestJson` is refused, so that
 * all that goes through a value by recursion (checks, copies, texts of it) has room.
 * @param what begins messages, such as the name of the file
 * @throws FormatError when it is no JSON, or too deep
 */
export function parseJson(text: string, what: string, hint?: string): unknown {
  expectShallow(text, what, hint);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${what} is not JSON: ${detail}`, { hint, cause });
  }
}

const quote = 0x22;
const backslash = 0x5c;
/** `[` and `{`, and two more the ends of them; as letters they differ in bit 5 alone. */
const open = 0x5b;
const close = 0x5d;
const caseBit = 0x20;

/** Counts brackets outside of strings. @throws FormatError */
function expectShallow(text: string, what: string, hint: string | undefined): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at);
    else if ((code & ~caseBit) === close) depth--;
    else if ((code & ~caseBit) === open && ++depth > deepestJson) {
      const message = `${what} is nested deeper than ${deepestJson} levels, at character ${at}`;
      throw new FormatError(message, { hint });
    }
  }
}

/** Returns where a string ends that begins at `start`: at its quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}
