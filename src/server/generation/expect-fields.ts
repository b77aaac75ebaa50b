import { badRequest } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";

/**
 * Refuses fields that would change the answer and are not known here; what to do stands with each.
 * `idle` says of some which values ask for nothing.
 */
export function expectUnused(
  body: Readonly<Record<string, unknown>>,
  refused: Readonly<Record<string, string>>,
  idle: Readonly<Record<string, (value: unknown) => boolean>> = {},
): void {
  for (const [field, advice] of Object.entries(refused)) {
    const value = body[field];
    if (value === undefined || value === null || idle[field]?.(value)) continue;
    throw badRequest(`\`${field}\` is not supported; ${advice}`, field, "unsupported_parameter");
  }
}

/** Refuses more texts than a request may ask for. */
export function expectChoices(count: number, { choices }: ServerLimits): void {
  if (count <= choices) return;
  throw badRequest(`a request may ask for ${choices} texts, and this one asks for ${count}`, "n");
}
