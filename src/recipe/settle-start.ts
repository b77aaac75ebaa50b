import type { Method } from "../methods/define-method.ts";
import { type MethodId, methods, methodsInRole } from "../methods/index.ts";
import type { Scheme } from "../quant/scheme.ts";
import { UsageError } from "../util/errors.ts";
import { expectRole, parseOptions } from "./recipe-checks.ts";
import type { ParsedRecipe } from "./recipe.ts";

type Start = NonNullable<ParsedRecipe["start"]>;

/**
 * Says what a method that trains blocks begins with: the quantizer that a recipe names, or else the
 * one that is usual for the method under all schemes; null for its own beginning.
 * @throws UsageError for a start that the method does not take, or that cannot be one
 */
export function settleStart(
  start: ParsedRecipe["start"],
  method: Method,
  schemes: readonly { readonly scheme: Scheme }[],
): Start | null {
  const chosen = start === undefined ? usualStart(method, schemes) : start;
  if (chosen === null) return null;
  expectStarted(method, chosen.method);
  const { [chosen.method]: starter }: Record<MethodId, Method> = methods;
  expectRole(starter, "quantizer", "start");
  expectStarter(starter, method);
  for (const { scheme } of schemes) expectSupport(starter, method, scheme);
  const options = parseOptions(starter, chosen.options, ["start"]);
  const all = schemes.map(({ scheme }) => scheme);
  if (starter.scalesChannels?.(options, all)) throw scalingStarter(starter, method);
  return { ...chosen, options };
}

function usualStart(
  method: Method,
  schemes: readonly { readonly scheme: Scheme }[],
): { method: MethodId; options: Record<string, unknown> } | null {
  const ids = new Set(schemes.map(({ scheme }) => method.usualStart?.(scheme) ?? null));
  const [id = null] = ids;
  return ids.size === 1 && id !== null ? { method: id as MethodId, options: {} } : null;
}

function expectStarted({ title, takesStart = false }: Method, value: string): void {
  if (takesStart) return;
  const taking = methodsInRole("quantizer").filter((other) => other.takesStart);
  throw new UsageError(`${title} chooses its weights by itself, and begins with no others'`, {
    hint: `leave out \`start\`: it is for ${taking.map(({ id }) => id).join(" and ")}`,
    field: "start",
    value,
  });
}

/** A start works on a block, and is another method. */
function expectStarter(starter: Method, { id, title }: Method): void {
  const message =
    starter.id === id
      ? `${title} cannot begin with what it makes itself`
      : starter.quantizeLinear || starter.quantizeBlock
        ? null
        : `${starter.title} trains a whole model, and cannot begin a block`;
  if (message === null) return;
  throw new UsageError(message, {
    hint: "name a quantizer such as gptq, or leave out `start`",
    field: "start",
    value: starter.id,
  });
}

/** A start is weights of the block as it is. */
function scalingStarter(starter: Method, { title }: Method): UsageError {
  const message = `${starter.title} scales channels of a block, and ${title} begins with weights alone`;
  return new UsageError(message, {
    hint: "have it scale nothing, or name another quantizer such as gptq",
    field: "start",
    value: starter.id,
  });
}

function expectSupport(starter: Method, { title }: Method, scheme: Scheme): void {
  if (starter.supports(scheme)) return;
  const message = `${starter.title} does not support the scheme ${scheme.id}`;
  throw new UsageError(`${message}, so ${title} cannot begin with what it makes`, {
    hint: "name another quantizer, or leave out `start`",
    field: "start",
    value: starter.id,
  });
}
