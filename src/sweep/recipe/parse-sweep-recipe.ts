import type { z } from "zod";
import type { UsageError } from "../../util/errors.ts";
import { type FieldPath, formatPath, valueAt } from "../../util/field-path.ts";
import { suggestName } from "../../util/nearest.ts";
import { fault } from "./recipe-source.ts";
import { type SweepRecipe, sweepRecipeSchema } from "./sweep-recipe.ts";

type Issue = z.core.$ZodIssue;

/**
 * Checks the form of a recipe and fills in its defaults.
 * @throws UsageError that names the field of the first fault
 */
export function parseSweepRecipe(value: unknown): SweepRecipe {
  const result = sweepRecipeSchema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  // A field that is unknown is most often one that is missing, spelled wrong.
  const [first] = [...issues.filter(isUnknownField), ...issues];
  throw describe(faultOf(first, value), issues.length - 1);
}

function isUnknownField({ code }: Issue): boolean {
  return code === "unrecognized_keys";
}

interface Fault {
  readonly path: FieldPath;
  readonly message: string;
  readonly hint?: string | undefined;
}

function describe({ path, message, hint }: Fault, more: number): UsageError {
  const others = more === 0 ? null : `${more} more ${more === 1 ? "fault" : "faults"} after this`;
  const advice = [hint, others].filter((part) => part != null).join("; ");
  return fault(formatPath(path), message, advice === "" ? undefined : advice);
}

/** Turns what zod says into what a person needs. */
function faultOf(issue: Issue, value: unknown): Fault {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    const known = fieldsAt(sweepRecipeSchema, path);
    const all = `the fields here are ${known.join(", ")}`;
    // A field of another form, such as a scheme of a checkpoint.
    if (known.includes(key)) {
      return { path: [...path, key], message: "does not go with the other fields here" };
    }
    return {
      path: [...path, key],
      message: "there is no such field",
      hint: suggestName(key, known, known.length > 0 ? all : undefined),
    };
  }
  const given = valueAt(value, path);
  if (issue.code === "invalid_union") return unionFault(issue, path, given, value);
  if (issue.code === "invalid_value") {
    const known = issue.values.map(String);
    if (given === undefined) return { path, message: `is missing: one of ${known.join(", ")}` };
    return {
      path,
      message: `${JSON.stringify(given)} is none of ${known.join(", ")}`,
      hint: typeof given === "string" ? suggestName(given, known, undefined) : undefined,
    };
  }
  if (given === undefined) return { path, message: "is missing" };
  return { path, message: `${lowerFirst(issue.message)}, got ${short(given)}` };
}

/** Of several forms that a field may have, the one that was meant says what is wrong. */
function unionFault(
  issue: z.core.$ZodIssueInvalidUnion,
  path: FieldPath,
  given: unknown,
  whole: unknown,
): Fault {
  if (given === undefined) return { path, message: "is missing" };
  const forms = issue.errors.filter((issues) => !issues.some(isTypeFault));
  const [best] = forms.sort((a, b) => unknownIn(a) - unknownIn(b) || depthOf(b) - depthOf(a));
  const inner = best?.find(isUnknownField) ?? best?.[0];
  if (!inner) return { path, message: `got ${short(given)}` };
  return faultOf({ ...inner, path: [...issue.path, ...inner.path] }, whole);
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

function isTypeFault(issue: Issue): boolean {
  return issue.code === "invalid_type" && issue.path.length === 0;
}

/** Names of the fields that an object of the schema may have at a path. */
function fieldsAt(schema: unknown, path: FieldPath): string[] {
  const definition = (schema as { def?: Record<string, unknown> } | undefined)?.def;
  if (!definition) return [];
  const { type, innerType, options, element, shape } = definition;
  if (innerType) return fieldsAt(innerType, path);
  if (type === "union") {
    return [...new Set((options as unknown[]).flatMap((option) => fieldsAt(option, path)))];
  }
  const [first, ...rest] = path;
  if (type === "array") return path.length === 0 ? [] : fieldsAt(element, rest);
  if (type !== "object") return [];
  const fields = shape as Record<string, unknown>;
  if (first === undefined) return Object.keys(fields).filter((name) => name !== "$schema");
  return fieldsAt(fields[String(first)], rest);
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function lowerFirst(text: string): string {
  return text.replace(/^(Invalid input: )?(.)/, (_, __, first: string) => first.toLowerCase());
}
