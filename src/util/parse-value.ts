import type { z } from "zod";
import type { FewbitError } from "./errors.ts";
import { describeSchema, fieldsAt, schemasAt } from "./expected-value.ts";
import { type FieldPath, formatPath, valueAt } from "./field-path.ts";
import { suggestName } from "./nearest.ts";
import { quoteText } from "./quote-text.ts";

/* The one place that turns what zod finds wrong into what a person needs. */

type Issue = z.core.$ZodIssue;

/** What is wrong with a value. */
export interface Fault {
  /** Leads to the field: `variants[1].scheme`; empty for the value as a whole. */
  readonly field: string;
  /** The same in parts. */
  readonly path: FieldPath;
  /** What was expected there and what came: `expected a text, got 4`. */
  readonly message: string;
  /** Field and message, as they are put behind the name of a file. */
  readonly text: string;
  readonly hint: string | undefined;
  /** What stands there. */
  readonly value: unknown;
}

/**
 * Checks a value by a schema, and fills in its defaults.
 * @throws what `fail` makes of the first fault; a field that is unknown counts before others
 */
export function parseValue<S extends z.ZodType>(
  schema: S,
  value: unknown,
  fail: (fault: Fault) => FewbitError,
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw fail(firstFault(schema, value, result.error.issues));
}

interface Finding {
  readonly path: FieldPath;
  readonly message: string;
  readonly hint?: string | undefined;
}

function firstFault(schema: z.core.$ZodType, value: unknown, issues: readonly Issue[]): Fault {
  // A field that is unknown is most often one that is missing, spelled wrong.
  const [first] = [...issues.filter(isUnknownField), ...issues];
  const { path, message, hint } = findingOf(first, schema, value);
  const more = issues.length - 1;
  const others = more === 0 ? [] : [`${more} more ${more === 1 ? "fault" : "faults"} after this`];
  const field = formatPath(path);
  return {
    field,
    path,
    message,
    text: field === "" ? message : `${field}: ${message}`,
    hint: [...(hint === undefined ? [] : [hint]), ...others].join("; ") || undefined,
    value: valueAt(value, path),
  };
}

function isUnknownField({ code }: Issue): boolean {
  return code === "unrecognized_keys";
}

function findingOf(issue: Issue, schema: z.core.$ZodType, whole: unknown): Finding {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") return unknownField(issue, schema);
  const given = valueAt(whole, path);
  if (issue.code === "invalid_union" && given !== undefined) {
    const meant = meantForm(issue, given);
    if (meant) return findingOf(meant, schema, whole);
  }
  if (issue.code === "invalid_value" && typeof given === "string") {
    const known = issue.values.map(String);
    const message = `${shortValue(given)} is none of ${known.join(", ")}`;
    return { path, message, hint: suggestName(given, known, undefined) };
  }
  if (issue.code === "invalid_key") {
    const wanted = issue.issues[0]?.message ?? "expected another name";
    return { path, message: `${wanted}, got ${shortValue(path.at(-1))}` };
  }
  if (issue.code === "too_big" && given !== undefined) {
    const message = tooMany(given, issue.maximum);
    if (message !== null) return { path, message };
  }
  const expected = expectationOf(issue, schema);
  if (issue.code === "too_small" && expected !== null && isEmpty(given)) {
    return { path, message: `is empty: ${expected}` };
  }
  if (given !== undefined || path.length === 0) {
    const got = `got ${given === undefined ? "nothing" : shortValue(given)}`;
    return { path, message: expected === null ? `is not valid: ${got}` : `${expected}, ${got}` };
  }
  return { path, message: expected === null ? "is missing" : `is missing: ${expected}` };
}

/** Says how long a text or a list is, and may be; null for other values. */
function tooMany(value: unknown, most: number | bigint): string | null {
  if (typeof value === "string") return `expected at most ${most} characters, got ${value.length}`;
  return Array.isArray(value) ? `expected at most ${most} entries, got ${value.length}` : null;
}

function isEmpty(value: unknown): boolean {
  return value === "" || (Array.isArray(value) && value.length === 0);
}

/** What was expected, in our words: those of the schema, or a message that it was given. */
function expectationOf({ message, path }: Issue, schema: z.core.$ZodType): string | null {
  if (message.startsWith("expected ")) return message;
  const words = new Set(schemasAt(schema, path).map(describeSchema));
  words.delete(null);
  return words.size === 0 ? null : `expected ${[...words].join(" or ")}`;
}

function unknownField(
  { path, keys: [key] }: z.core.$ZodIssueUnrecognizedKeys,
  schema: z.core.$ZodType,
): Finding {
  const known = fieldsAt(schema, path);
  // A field of another form, such as a scheme of a checkpoint.
  if (known.includes(key)) {
    return { path: [...path, key], message: "does not go with the other fields here" };
  }
  const all = `the fields here are ${known.join(", ")}`;
  return {
    path: [...path, key],
    message: "there is no such field",
    hint: suggestName(key, known, known.length > 0 ? all : undefined),
  };
}

/** Of several forms that a field may have, the fault of the one that was meant; null for none. */
function meantForm(issue: z.core.$ZodIssueInvalidUnion, given: unknown): Issue | null {
  const forms = issue.errors.filter((issues) => !issues.some((each) => isTypeFault(each, given)));
  const [best] = forms.sort((a, b) => unknownIn(a) - unknownIn(b) || depthOf(b) - depthOf(a));
  const inner = best?.find(isUnknownField) ?? best?.[0];
  return inner ? { ...inner, path: [...issue.path, ...inner.path] } : null;
}

/** How many fields a form does not have: the fewest are those of the form that was meant. */
function unknownIn(issues: readonly Issue[]): number {
  const unknown = issues.flatMap((each) => (each.code === "unrecognized_keys" ? each.keys : []));
  return unknown.length;
}

/** How deep within a form its faults lie. */
function depthOf(issues: readonly Issue[]): number {
  return Math.max(...issues.map((each) => each.path.length));
}

/** Whether what was given is not even of the kind that a form takes. */
function isTypeFault(issue: Issue, given: unknown): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code !== "invalid_value") return issue.code === "invalid_type";
  return issue.values.every((value) => typeof value !== typeof given);
}

/** What is shown of a value at most, in characters. */
const longestShown = 60;

/** Writes what came, in a few words whatever its size. */
export function shortValue(value: unknown): string {
  if (typeof value === "string") return quoteText(value, longestShown);
  if (typeof value !== "object" || value === null) return String(value);
  if (!Array.isArray(value)) return "an object";
  const isFlat = value.length < longestShown && value.every((each) => typeof each !== "object");
  const listed = isFlat ? `[${value.map(shortValue).join(", ")}]` : "";
  const isShown = isFlat && listed.length <= longestShown;
  return isShown ? listed : `a list of ${value.length} ${value.length === 1 ? "entry" : "entries"}`;
}
