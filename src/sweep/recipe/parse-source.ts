import { isScalar, LineCounter, parseDocument } from "yaml";
import { UsageError } from "../../util/errors.ts";
import { parsePath } from "../../util/field-path.ts";
import { deepestJson } from "../../util/json.ts";
import type { RecipeSource } from "./recipe-source.ts";

/** Reads YAML (or JSON) and keeps places of fields. @throws UsageError with line and column */
export function parseSource(name: string, text: string): RecipeSource {
  const lines = new LineCounter();
  const document = readYaml(name, () =>
    parseDocument(text, { lineCounter: lines, prettyErrors: false }),
  );
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
  const value = readYaml(name, (): unknown => document.toJS());
  expectTree(name, value, Math.max(mostParts, 2 * text.length));
  const offsetOf = (path: readonly (string | number)[]): number => {
    for (let length = path.length; length > 0; length--) {
      const offset = keyOffset(document, path.slice(0, length));
      if (offset !== null) return offset;
    }
    return 0;
  };
  return { name, value, positionOf: (field) => place(offsetOf(parsePath(field))) };
}

/** Parts of a recipe at most once its aliases are followed, each character of a text included. */
const mostParts = 1_000_000;

/** Runs a step of the YAML library. @throws UsageError */
function readYaml<T>(name: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    // Its composer goes down by recursion.
    if (cause instanceof RangeError) throw tooDeep(name);
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${name}: ${detail}`, { cause });
  }
}

/**
 * Checks that a value is a tree of bearable size: aliases may put a part into itself, or one into
 * many places.
 * @throws UsageError
 */
function expectTree(name: string, value: unknown, most: number): void {
  let parts = 0;
  const visit = (part: unknown, depth: number): void => {
    if (depth > deepestJson) throw tooDeep(name);
    parts += typeof part === "string" ? part.length : 1;
    if (parts > most) {
      throw new UsageError(`${name}: its aliases make more than ${most} parts of it`, {
        hint: "write less of it with aliases (*name)",
      });
    }
    if (typeof part !== "object" || part === null) return;
    for (const [key, inner] of Object.entries(part)) {
      parts += key.length;
      visit(inner, depth + 1);
    }
  };
  visit(value, 1);
}

function tooDeep(name: string): UsageError {
  return new UsageError(`${name} is nested deeper than ${deepestJson} levels, or holds itself`, {
    hint: "a recipe has less than ten levels; an alias (*name) must not stand within its anchor",
  });
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
