import { z } from "zod";
import { UsageError } from "./errors.ts";
import { describeNumber } from "./expected-value.ts";
import { defaultOf, type Field } from "./fields.ts";

/* How values of fields are written as words of a command line, and read from them. */

/** What each value of a field is: what a list lists, or the field itself. */
export function elementOf({ schema }: Pick<Field, "schema">): z.core.$ZodType {
  return schema instanceof z.ZodArray ? schema.def.element : schema;
}

/** Reads a word as a field's value or entry. @throws UsageError that says what was expected */
export function readWord(field: Field, word: string): unknown {
  const element = elementOf(field);
  if (element instanceof z.ZodNumber) return readNumber(element, word);
  return element instanceof z.ZodObject ? readPair(element, field, word) : word;
}

/** Reads a number that a schema lets through; `what` it is. @throws UsageError */
export function readNumber(schema: z.ZodNumber, word: string, what = "number"): number {
  const value = word.trim() === "" ? Number.NaN : Number(word);
  if (schema.safeParse(value).success) return value;
  throw new UsageError(`Expected a ${describeNumber(schema, what)}.`, { value: word });
}

/** What a pair with a number looks like, and a name that has to be followed by one. */
const endsInNumber = /=\d+(\.\d+)?(e[+-]?\d+)?$/i;

/**
 * Reads `FIRST=SECOND`, or `FIRST` where the second is a number that may be left out: then a name
 * may hold `=` as long as no number follows its last one.
 */
function readPair(object: z.ZodObject, { unit = "", example }: Field, word: string): unknown {
  const [[first], [second, schema]] = Object.entries(object.shape);
  const at = word.lastIndexOf("=");
  const rest = word.slice(at + 1);
  const pair = (value: unknown) => ({ [first]: word.slice(0, at), [second]: value });
  if (schema instanceof z.ZodDefault && schema.def.innerType instanceof z.ZodNumber) {
    return at > 0 && endsInNumber.test(word)
      ? pair(readNumber(schema.def.innerType, rest, second))
      : { [first]: word };
  }
  if (at > 0 && rest !== "") return pair(rest);
  throw new UsageError(`Expected ${unit.toUpperCase()}, such as ${example}.`, { value: word });
}

/** Writes a field's value as words; none where it is usual. `placeOf` writes paths. */
export function writeWords(
  field: Field,
  value: unknown,
  placeOf: (path: string) => string,
): string[] {
  const { flag, byDefault, isPath } = field;
  if (value == null || value === byDefault) return [];
  if (typeof value === "boolean") return [value ? `--${flag}` : `--no-${flag}`];
  const element = elementOf(field);
  const parts = element instanceof z.ZodObject ? Object.entries(element.shape) : null;
  return (Array.isArray(value) ? value : [value]).flatMap((entry: Record<string, unknown>) => {
    const [first, second] = parts?.map(([name]) => entry[name]) ?? [entry];
    const word = isPath ? placeOf(String(first)) : String(first);
    const usual = parts && defaultOf(parts[1][1]);
    const isUsual = second === undefined || second === usual;
    if (isUsual && !(parts && endsInNumber.test(word))) return [`--${flag}`, word];
    return [`--${flag}`, `${word}=${String(second ?? usual)}`];
  });
}
