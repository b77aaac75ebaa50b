import type * as z from "zod";

/** What is wrong with a request: where, and in words. */
export interface DescribedIssue {
  /** The field, such as `messages.0.content`; null for the body itself. */
  readonly param: string | null;
  readonly message: string;
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** Says what a schema found, in words for the one who wrote the request. Issues must have their `input`. */
export function describeIssue(issue: Issue): DescribedIssue {
  const { path, told } = explain(issue, []);
  const param = path.length === 0 ? null : path.map(String).join(".");
  return { param, message: `${param === null ? "the body" : `\`${param}\``} ${told}` };
}

interface Explained {
  readonly path: Path;
  /** What follows the name of the field. */
  readonly told: string;
}

function explain(issue: Issue, before: Path): Explained {
  const path = [...before, ...issue.path];
  const { input } = issue;
  switch (issue.code) {
    case "invalid_type":
    case "invalid_value":
      return { path, told: expected(choicesOf(issue), input) };
    case "too_small":
      return { path, told: bound(issue.minimum, issue, issue.inclusive ? "at least" : "above") };
    case "too_big":
      return { path, told: bound(issue.maximum, issue, issue.inclusive ? "at most" : "below") };
    case "invalid_union":
      return explainUnion(issue, path);
    case "invalid_key":
      return { path, told: `is no name for this: ${issue.issues[0].message}` };
    default:
      return { path, told: `is not taken: ${issue.message}` };
  }
}

/** Of the alternatives, the one that the request came furthest in; all of them where it came nowhere. */
function explainUnion(
  issue: Extract<Issue, { readonly code: "invalid_union" }>,
  path: Path,
): Explained {
  if (issue.discriminator !== undefined) {
    const options = "options" in issue ? (issue.options ?? []) : [];
    const { [issue.discriminator]: value } = issue.input as Readonly<Record<string, unknown>>;
    return { path, told: expected(options.map(String), value) };
  }
  const firsts = issue.errors.map(([first]) => first);
  const furthest = firsts.reduce((best, each) => (isFurther(each, best) ? each : best));
  if (furthest.path.length > 0) return explain(furthest, path);
  const choices = firsts.flatMap(choicesOf);
  // A value that is of one of the types is wrong for another reason.
  const outOfBounds = firsts.find((each) => choicesOf(each).length === 0);
  if (outOfBounds) return explain(outOfBounds, path);
  return { path, told: expected([...new Set(choices)], issue.input) };
}

function choicesOf(issue: Issue): string[] {
  if (issue.code === "invalid_value") return issue.values.map(String);
  return issue.code === "invalid_type" ? [kinds[issue.expected] ?? issue.expected] : [];
}

function isFurther({ path: a }: Issue, { path: b }: Issue): boolean {
  if (a.length !== b.length) return a.length > b.length;
  return Number(a[0]) > Number(b[0]);
}

function expected(choices: readonly string[], input: unknown): string {
  if (input === undefined) return "is missing";
  return `must be ${choices.join(" or ")}, got ${shown(input)}`;
}

function bound(
  limit: number | bigint,
  { origin, input }: { readonly origin: string; readonly input?: unknown },
  how: string,
): string {
  const isSized = origin === "string" || origin === "array";
  if (isSized && how === "at least" && limit === 1) return "must not be empty";
  if (origin === "string") return `must have ${how} ${limit} characters`;
  if (origin === "array") return `must have ${how} ${limit} entries`;
  return `must be ${how} ${limit}, got ${shown(input)}`;
}

/** Short values as they are, long ones by their kind. */
function shown(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length <= 40 ? text : "a long text";
}
