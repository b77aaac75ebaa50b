import { z } from "zod";
import type { FieldPath } from "./field-path.ts";

/* What a schema asks for, in words: the half of a message that begins with "expected". */

type Schema = z.core.$ZodType;

/** Says what a value of a schema is: `a whole number of at least 1`; null where that says nothing. */
export function describeSchema(schema: Schema): string | null {
  const inner = withoutWrapping(schema);
  if (inner instanceof z.ZodNumber) return `a ${describeNumber(inner, "number")}`;
  if (inner instanceof z.ZodString) return describeText(inner);
  if (inner instanceof z.ZodBoolean) return "true or false";
  if (inner instanceof z.ZodEnum) return `one of ${inner.options.join(", ")}`;
  if (inner instanceof z.ZodLiteral) return [...inner.values].map(String).join(" or ");
  if (inner instanceof z.ZodArray) return "a list";
  if (inner instanceof z.ZodTuple) return `a list of ${inner.def.items.length} entries`;
  if (inner instanceof z.ZodObject || inner instanceof z.ZodRecord) return "an object";
  if (!(inner instanceof z.ZodUnion)) return null;
  const forms = new Set(inner.options.map(describeSchema));
  return forms.has(null) ? null : [...forms].join(" or ");
}

function describeText(schema: z.ZodString): string {
  const [example] = (schema.meta()?.examples ?? []) as readonly string[];
  return example === undefined ? "a text" : `a text such as ${example}`;
}

/** Says which numbers a schema lets through; `what` they are called. */
export function describeNumber(schema: z.ZodNumber, what: string): string {
  const { type, minimum, maximum, exclusiveMinimum } = z.toJSONSchema(schema);
  const isWhole = type === "integer";
  const words = isWhole ? `whole ${what}` : what;
  const above = typeof exclusiveMinimum === "number" ? exclusiveMinimum : undefined;
  const least = minimum ?? (isWhole && above !== undefined ? above + 1 : undefined);
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (least !== undefined && least > Number.MIN_SAFE_INTEGER) {
    return isBounded ? `${words} from ${least} to ${maximum}` : `${words} of at least ${least}`;
  }
  if (!isWhole && above !== undefined) return `${words} above ${above}`;
  return isBounded ? `${words} of at most ${maximum}` : words;
}

/** Finds what a schema says of the value at a path: several where a field has several forms. */
export function schemasAt(schema: Schema, path: FieldPath): Schema[] {
  const inner = withoutWrapping(schema);
  const [first, ...rest] = path;
  if (inner instanceof z.ZodUnion && path.length > 0) {
    return inner.options.flatMap((option) => schemasAt(option, path));
  }
  if (first === undefined) return [inner];
  const next = memberOf(inner, first);
  return next ? schemasAt(next, rest) : [];
}

/** Names of the fields that an object may have at a path; `$schema` is for editors. */
export function fieldsAt(schema: Schema, path: FieldPath): string[] {
  const forms = schemasAt(schema, path).flatMap((found) =>
    found instanceof z.ZodUnion ? found.options.map(withoutWrapping) : [found],
  );
  const names = forms.flatMap((form) =>
    form instanceof z.ZodObject ? Object.keys(form.shape) : [],
  );
  return [...new Set(names)].filter((name) => name !== "$schema");
}

function memberOf(schema: Schema, name: PropertyKey): Schema | undefined {
  if (schema instanceof z.ZodArray) return schema.def.element;
  if (schema instanceof z.ZodTuple) return schema.def.items[Number(name)];
  if (schema instanceof z.ZodRecord) return schema.def.valueType;
  if (!(schema instanceof z.ZodObject) || !Object.hasOwn(schema.shape, name)) return undefined;
  return (schema.shape as Record<PropertyKey, Schema>)[name];
}

/** What a schema asks for, without what it does where nothing was given, or with what it got. */
function withoutWrapping(schema: Schema): Schema {
  const isOpen =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable;
  if (isOpen) return withoutWrapping(schema.def.innerType);
  return schema instanceof z.ZodPipe ? withoutWrapping(schema.def.in) : schema;
}
