/** Leads to a field: names of fields and indices of entries. */
export type FieldPath = readonly PropertyKey[];

/** Writes a path as people read it: `variants[1].scheme`. */
export function formatPath(path: FieldPath): string {
  const parts = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`));
  return parts.join("").replace(/^\./, "");
}

/** Reads a path that was written so. */
export function parsePath(text: string): (string | number)[] {
  const parts = [...text.matchAll(/\[(\d+)\]|[^.[\]]+/g)];
  return parts.map(([name, index]) => (index === undefined ? name : Number(index)));
}

/** The value of a field; undefined where there is no such field. */
export function valueAt(value: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (inner, part) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[part],
    value,
  );
}
