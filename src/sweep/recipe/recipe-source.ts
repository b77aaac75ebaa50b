import { isScalar, LineCounter, parseDocument } from "yaml";
import { FewbitError, UsageError } from "../../util/errors.ts";

/** Leads to a field: names of fields and indices of entries. */
export type FieldPath = readonly (string | number)[];

/** A recipe as it was read, and where each of its fields stands. */
export interface RecipeSource {
  /** Name for messages: the path of the file as it was given. */
  readonly name: string;
  readonly value: unknown;
  /** `line:column` of a field or the nearest around it, from 1; null where there is no file. */
  readonly positionOf: (path: FieldPath) => string | null;
}

/** A recipe that was not read from a file. */
export function sourceOfValue(value: unknown): RecipeSource {
  return { name: "the recipe", value, positionOf: () => null };
}

/**
 * Reads YAML (which includes JSON) and keeps the place of each field.
 * @throws UsageError with line and column when it is not YAML
 */
export function parseSource(name: string, text: string): RecipeSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  const [broken] = document.errors;
  if (broken) {
    throw new UsageError(`${name}:${place(broken.pos[0])}: ${firstLine(broken.message)}`, {
      hint: "check quotes, brackets and indentation there",
    });
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    throw new UsageError(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  const offsetOf = (path: FieldPath): number => {
    for (let length = path.length; length > 0; length--) {
      const offset = keyOffset(document, path.slice(0, length));
      if (offset !== null) return offset;
    }
    return 0;
  };
  return { name, value, positionOf: (path) => place(offsetOf(path)) };
}

/** Where the key of a field begins, or an entry of a list; null when there is no such field. */
function keyOffset(
  document: ReturnType<typeof parseDocument>,
  path: readonly (string | number)[],
): number | null {
  const last = path.at(-1);
  const parent = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents;
  if (typeof parent !== "object" || parent === null || !("items" in parent)) return null;
  const { items } = parent as { items: readonly unknown[] };
  if (typeof last === "number") return startOf(items[last]);
  for (const item of items) {
    const { key } = item as { key?: unknown };
    if (isScalar(key) && key.value === last) return startOf(key);
  }
  return null;
}

function startOf(node: unknown): number | null {
  const { range } = (node ?? {}) as { range?: readonly number[] | null };
  return range?.[0] ?? null;
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0];
}

/** Writes a path as people read it: `variants[1].scheme`. */
function formatPath(path: FieldPath): string {
  const parts = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`));
  return parts.join("").replace(/^\./, "");
}

/** An error at a field of a recipe: `sweep.yaml:12:5: variants[1].scheme: ...`. */
export function errorAt(
  source: RecipeSource,
  path: FieldPath,
  message: string,
  hint?: string,
): UsageError {
  const position = source.positionOf(path);
  const where = position === null ? source.name : `${source.name}:${position}`;
  const field = path.length === 0 ? "" : `${formatPath(path)}: `;
  return new UsageError(`${where}: ${field}${message}`, hint === undefined ? {} : { hint });
}

/** An error of something that a field names, with the place of the field. */
export function placed(source: RecipeSource, path: FieldPath, error: unknown): unknown {
  if (!(error instanceof FewbitError) || error.code === "CANCELLED") return error;
  return errorAt(source, path, error.message, error.hint);
}
