import type { Method } from "../methods/define-method.ts";
import { methodsInRole } from "../methods/index.ts";
import { findMixture } from "../quant/mixtures.ts";
import { hasFixedActivations } from "../quant/scheme.ts";
import { UsageError } from "../util/errors.ts";
import { needsText } from "./needs-text.ts";
import { schemesOf } from "./recipe-checks.ts";
import type { ParsedRecipe } from "./recipe.ts";

/** Ids of the quantizers that need nothing but weights. */
export function methodsWithoutText(): string[] {
  return methodsInRole("quantizer").flatMap((method) => (needsText(method) ? [] : [method.id]));
}

/**
 * Checks that a recipe needs nothing but weights: a model that fewbit cannot run has no activations.
 * @throws UsageError that names the first field which asks for more
 */
export function expectGeneric(recipe: ParsedRecipe, method: Method): void {
  if (needsText(method)) {
    throw new UsageError(`${method.title} works on activations, and \`generic\` runs no model`, {
      hint: `use one of the methods without data: ${methodsWithoutText().join(", ")}`,
      field: "method",
      value: method.id,
    });
  }
  const { calibration, transforms, finishers, imatrix, teacher, scheme, out } = recipe;
  expectNone("calibration", calibration, "calibration text is of no use without activations");
  expectNone("transforms", transforms[0], "transforms work on activations");
  expectNone("finishers", finishers[0], "finishers train the model");
  expectNone("imatrix", imatrix, "importance of columns goes by the layers of a known model");
  expectNone("teacher", teacher, "nothing is learned from a teacher");
  if (findMixture(scheme)) {
    const hint = "use the scheme of one of its types, such as q4_k";
    const message = `the mixture ${scheme} goes by the layers of a known model`;
    throw new UsageError(message, { hint, field: "scheme", value: scheme });
  }
  for (const each of schemesOf(recipe)) {
    if (!hasFixedActivations(each.scheme)) continue;
    throw new UsageError(`the scheme ${each.scheme.id} needs ranges of activations`, {
      hint: "use one that rounds weights only, or ends in a8",
      field: each.field,
      value: each.scheme.id,
    });
  }
  if (!out.endsWith(".gguf")) return;
  throw new UsageError("GGUF files hold only architectures that are known", {
    hint: "name a directory: `out`",
    field: "out",
    value: out,
  });
}

function expectNone(field: string, value: unknown, why: string): void {
  if (value === null || value === undefined) return;
  const hint = `leave out \`${field}\`, or \`generic\` if fewbit can run the model`;
  throw new UsageError(`${why}: \`generic\` runs no model`, { hint, field, value });
}
