import { z } from "zod";

/** What a command line needs to know of a field besides its schema and its description. */
export interface FieldNotes {
  /** The heading below which help lists it. */
  readonly group: string;
  /** Whether most need it: short help explains it. */
  readonly common?: boolean;
  /** Name of its flag, where that is not the field's own. */
  readonly flag?: string;
  /** What stands for its value in help: `tokens`, or `pattern=scheme` for an object of two. */
  readonly unit?: string;
  /** A value, for the message about one that does not fit. */
  readonly example?: string;
  /** Whether its value is the path of a file or folder. */
  readonly isPath?: boolean;
  /** What holds where it is left out, if the schema's default does not say it. */
  readonly otherwise?: string;
  /** What becomes of a switch that is on by default when it is turned off. */
  readonly off?: string;
  /** Values to choose from, where the schema lets more through. */
  readonly choices?: readonly string[];
  /** Values that are let through besides the choices: who reads them says what is wrong. */
  readonly known?: readonly string[];
}

/** A field that a command line can say. */
export interface Field extends FieldNotes {
  /** Leads to it: `["calibration", "window"]`. */
  readonly path: readonly string[];
  /** Name of its flag, without dashes. */
  readonly flag: string;
  readonly description: string;
  /** What it is where it is given: neither optional nor null. */
  readonly schema: z.core.$ZodType;
  readonly byDefault: unknown;
}

const notesOf = z.registry<FieldNotes>();

/**
 * Makes a function that declares a field which a command line can say: by its schema with a
 * default, and by what it is. `group` is the heading below which help lists it.
 */
export function fieldsIn(group: string) {
  return <S extends z.ZodType>(
    schema: S,
    description: string,
    notes: Omit<FieldNotes, "group"> = {},
  ): S => {
    const described = schema.describe(description);
    notesOf.add(described, { ...notes, group });
    return described;
  };
}

/** Lists the fields of a schema that a command line can say, in their order. */
export function fieldsOf(schema: z.ZodObject, path: readonly string[] = []): Field[] {
  return Object.entries(schema.shape).flatMap(([name, each]): Field[] => {
    const notes = notesOf.get(each);
    if (notes) return [makeField([...path, name], each, notes)];
    const inner = unwrap(each);
    return inner instanceof z.ZodObject ? fieldsOf(inner, [...path, name]) : [];
  });
}

/** Makes a field of a schema at a place; its flag is its own name unless the notes say another. */
export function makeField(
  path: readonly string[],
  schema: z.core.$ZodType,
  notes: FieldNotes,
): Field {
  return {
    flag: kebabCase(path[path.length - 1]),
    ...notes,
    path,
    description: (schema as z.ZodType).description ?? "",
    schema: unwrap(schema),
    byDefault: defaultOf(schema),
  };
}

/** What a field is when it is given. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const isOpen =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable;
  return isOpen ? unwrap(schema.def.innerType) : schema;
}

/** What holds where a field of a schema is left out. */
export function defaultOf(schema: z.core.$ZodType): unknown {
  return schema instanceof z.ZodDefault ? schema.def.defaultValue : undefined;
}

/** `cacheDType` as `cache-dtype`. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => `-${letters.toLowerCase()}`);
}

/** What holds where a field is left out, in words; undefined where that says nothing. */
export function defaultWords({
  byDefault,
  otherwise,
}: Pick<Field, "byDefault" | "otherwise">): string | undefined {
  const says = byDefault !== undefined && typeof byDefault !== "object";
  return otherwise ?? (says ? String(byDefault) : undefined);
}

/** A schema without its defaults. */
type Sparse<S> =
  S extends z.ZodDefault<infer Inner>
    ? z.ZodOptional<Extract<Sparse<Inner>, z.core.$ZodType>>
    : S extends z.ZodNullable<infer Inner>
      ? Sparse<Inner>
      : S extends z.ZodArray<infer Element>
        ? z.ZodArray<Extract<Sparse<Element>, z.core.$ZodType>>
        : S extends z.ZodObject<infer Shape>
          ? SparseObject<Shape>
          : S;

/** An object none of whose fields is filled in. */
type SparseObject<Shape extends z.core.$ZodShape> = z.ZodObject<
  { [Name in keyof Shape]: Extract<Sparse<Shape[Name]>, z.core.$ZodType> },
  z.core.$strict
>;

/**
 * Makes of a schema one for what is said of it elsewhere: its defaults stand in descriptions only,
 * null is said by leaving a field out, and no other fields are let through.
 */
export function withoutDefaults<Shape extends z.core.$ZodShape>(
  schema: z.ZodObject<Shape>,
): SparseObject<Shape> {
  return sparse(schema) as SparseObject<Shape>;
}

function sparse(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) {
    const inner = z.optional(sparse(schema.def.innerType));
    const { description } = schema;
    if (description === undefined) return inner;
    const words = defaultWords({ ...notesOf.get(schema), byDefault: defaultOf(schema) });
    return inner.describe(words === undefined ? description : `${description}; default ${words}`);
  }
  if (schema instanceof z.ZodNullable) return sparse(schema.def.innerType);
  if (schema instanceof z.ZodArray) return z.array(sparse(schema.def.element));
  if (!(schema instanceof z.ZodObject)) return schema;
  const fields = Object.entries(schema.shape).map(([name, each]) => [name, sparse(each)]);
  return z.strictObject(Object.fromEntries(fields) as z.core.$ZodShape);
}
