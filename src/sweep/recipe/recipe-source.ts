import { FewbitError, UsageError } from "../../util/errors.ts";

/** A recipe as it was read, and where each of its fields stands. */
export interface RecipeSource {
  /** Name for messages: the path of the file as it was given. */
  readonly name: string;
  readonly value: unknown;
  /** `line:column` of a field or the nearest around it, from 1; null where there is no file. */
  readonly positionOf: (field: string) => string | null;
}

/** A recipe that was not read from a file. */
export function sourceOfValue(value: unknown): RecipeSource {
  return { name: "the recipe", value, positionOf: () => null };
}

/** An error of what a field of a recipe says. */
export function fault(field: string, message: string, hint?: string): UsageError {
  return new UsageError(message, { field, hint });
}

/** An error of something that a field of a recipe names. */
export function faultAt(field: string, error: unknown): unknown {
  if (!(error instanceof FewbitError) || error.code === "CANCELLED") return error;
  return fault(field, error.message, error.hint);
}

/**
 * Runs what reads a recipe.
 * @throws UsageError with the place of its field: `sweep.yaml:12:5: variants[1].scheme: …`
 */
export async function placingFaults<T>(source: RecipeSource, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof UsageError) || error.field === undefined) throw error;
    const { field, value, hint, message } = error;
    const position = source.positionOf(field);
    const where = position === null ? source.name : `${source.name}:${position}`;
    const said = field === "" ? message : `${field}: ${message}`;
    throw new UsageError(`${where}: ${said}`, { hint, field, value, cause: error });
  }
}
