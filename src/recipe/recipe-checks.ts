import type { z } from "zod";
import type { Method, MethodRole } from "../methods/define-method.ts";
import { methods } from "../methods/index.ts";
import { parseScheme, type Scheme } from "../quant/scheme.ts";
import { SchemeError, UsageError } from "../util/errors.ts";
import { type FieldPath, formatPath } from "../util/field-path.ts";
import { parseValue } from "../util/parse-value.ts";
import { schemesLike } from "./choose-scheme.ts";
import { possibleSchemes } from "./mixture-schemes.ts";
import type { ParsedRecipe } from "./recipe.ts";

/* What a recipe is checked by, step by step; `parseRecipe` has the order. */

/** The schemes of linear layers, with the fields that name them. */
export function schemesOf({
  scheme: usual,
  layers,
  allocation = null,
}: Pick<ParsedRecipe, "scheme" | "layers"> & Partial<Pick<ParsedRecipe, "allocation">>): {
  scheme: Scheme;
  field: string;
}[] {
  const own = layers.map(({ scheme }, i) => {
    const field = `layers[${i}].scheme`;
    return { scheme: readScheme(scheme, field), field };
  });
  const choices = (allocation?.choices ?? []).map((id, i) => {
    const field = `allocation.choices[${i}]`;
    return { scheme: readScheme(id, field), field };
  });
  if (allocation) return [...choices, ...own];
  const possible = naming("scheme", usual, () => possibleSchemes(usual));
  return [...possible.map((scheme) => ({ scheme, field: "scheme" })), ...own];
}

/** @throws UsageError that names the field */
export function readScheme(id: string, field: string): Scheme {
  return naming(field, id, () => parseScheme(id));
}

/** Reads a scheme; what is wrong with it becomes a fault of `field`. */
export function naming<T>(field: string, id: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SchemeError)) throw error;
    throw new UsageError(error.message, { hint: error.hint, field, value: id, cause: error });
  }
}

/** Checks the options of a method by its schema. */
export function parseOptions(
  method: Method,
  options: unknown,
  at: FieldPath,
): Record<string, unknown> {
  return parseWith(method.options.strict(), options, `options of ${method.id}`, [...at, "options"]);
}

/** @throws UsageError when a method stands in a place of others */
export function expectRole(method: Method, role: MethodRole, field: string): void {
  if (method.role === role) return;
  const { id, title } = method;
  const [message, hint] =
    method.role === "finisher"
      ? [
          `${title} trains a quantized model further, and cannot make one`,
          `use it after a quantizer: \`method: rtn\` \`finishers: ${id}\``,
        ]
      : method.role === "transform"
        ? [
            `${title} prepares weights, and cannot quantize them by itself`,
            `use it before a quantizer: \`transforms: ${id}\` \`method: rtn\``,
          ]
        : [`${title} is not a ${role}`, `name it as the method: \`method: ${id}\``];
  throw new UsageError(message, { hint, field, value: id });
}

/** @throws UsageError where a recipe has no text, and `what` needs some */
export function expectCalibration(
  what: string,
  { calibration }: Pick<ParsedRecipe, "calibration">,
): void {
  if (calibration) return;
  throw new UsageError(`${what} needs calibration text, and none was given`, {
    hint: "name a text or JSONL file (`calibration: FILE`), or sample from the model itself",
    field: "calibration",
  });
}

/** @throws UsageError that names schemes which the method does support */
export function expectSupport(method: Method, scheme: Scheme, field: string): void {
  if (method.supports(scheme)) return;
  const others = schemesLike(scheme).filter((other) => method.supports(other));
  const hint = others.length > 0 ? { hint: `use ${others.map(({ id }) => id).join(" or ")}` } : {};
  const message = `${method.title} does not support the scheme ${scheme.id}`;
  throw new UsageError(message, { ...hint, field, value: scheme.id });
}

/** Checks by a schema what stands at a field; `what` that is begins the message. */
export function parseWith<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
  field: FieldPath = [],
): z.output<S> {
  return parseValue(
    schema,
    value,
    ({ text, path, hint, value: given }) =>
      new UsageError(`${what}: ${text}`, {
        hint,
        field: formatPath([...field, ...path]),
        value: given,
      }),
  );
}

/**
 * A rotation of the whole model comes before what changes single blocks, and there is one at most.
 * What is known of the columns of its layers does not hold for what it makes of them.
 * @throws UsageError
 */
export function expectRotationFirst({ transforms, imatrix }: ParsedRecipe): void {
  const rotates = ({ method }: { readonly method: keyof typeof methods }): boolean => {
    const { [method]: chosen }: Record<string, Method> = methods;
    return chosen.rotateModel !== undefined;
  };
  const last = transforms.findLastIndex(rotates);
  if (last > 0) {
    const { method: value } = transforms[last];
    throw new UsageError(`${methods[value].title} rotates the model before any other transform`, {
      hint: "name it first, and once",
      field: `transforms[${last}]`,
      value,
    });
  }
  if (last < 0 || imatrix === null) return;
  const { method } = transforms[last];
  throw new UsageError(
    `${methods[method].title} mixes the columns that the importance matrix tells apart`,
    {
      hint: "leave out `imatrix`: calibration text gives the importance of the rotated columns",
      field: "imatrix",
      value: imatrix,
    },
  );
}
