import { type Method, methods, parseScheme, type Scheme } from "../../src/index.ts";
import { grids } from "../../src/quant/grids/index.ts";
import { hasFixedActivations, makeScheme } from "../../src/quant/scheme.ts";

/*
 * What the conformance suite of methods runs: derived from what methods and grids declare, so that
 * a new one is among the cases without being named here.
 */

/** Every method, as shared code sees it. */
export const allMethods: readonly Method[] = Object.values(methods);

const groupSize = 16;
const activations = ["token", "static", "integer"] as const;

/**
 * Every scheme there is: each grid, with a scale a row and with groups, each way of activations.
 */
export const allSchemes: readonly Scheme[] = grids.flatMap((grid) =>
  [null, groupSize].flatMap((size) =>
    [null, ...activations].flatMap((mode) => {
      const activation = mode && ({ bits: 8, mode } as const);
      return parsed(makeScheme(grid, size, activation).id);
    }),
  ),
);

function parsed(id: string): Scheme[] {
  try {
    return [parseScheme(id)];
  } catch {
    // Some grids go with neither groups nor rounded inputs.
    return [];
  }
}

/**
 * Schemes on which a method is tried: every grid that it supports, each bit-width with a scale a
 * row and with groups, and each way of rounding activations.
 */
export function schemesFor(method: Method): Scheme[] {
  const supported = allSchemes.filter((scheme) => method.supports(scheme));
  const ofWeights = supported.filter(({ activation }) => activation === null);
  const chosen = new Set<Scheme>();
  for (const bits of new Set(grids.map((grid) => grid.bits))) {
    const here = ofWeights.filter(({ grid }) => grid.bits === bits);
    const gridsHere = [...new Set(here.map(({ grid }) => grid))];
    for (const [i, grid] of gridsHere.entries()) {
      const forms = here.filter((scheme) => scheme.grid === grid);
      // One form of each grid, in turn; both where the bit-width has a single grid.
      const taken = gridsHere.length === 1 ? forms : [forms[i % forms.length]];
      for (const scheme of taken) chosen.add(scheme);
    }
  }
  for (const mode of activations) {
    const rounded = supported.findLast(({ activation }) => activation?.mode === mode);
    if (rounded) chosen.add(rounded);
  }
  return [...chosen];
}

/**
 * The recipe that shows a method at work: a quantizer by itself, a transform in front of the
 * simplest quantizer of the scheme, a finisher behind it.
 */
export function recipeWith(
  { id, role }: Method,
  scheme: Scheme,
  options: Record<string, unknown>,
): Record<string, unknown> {
  const own = { method: id, options };
  const simplest = { method: simplestQuantizer(scheme).id, scheme: scheme.id };
  switch (role) {
    case "quantizer":
      return { ...own, scheme: scheme.id };
    case "transform":
      return { ...simplest, transforms: [own] };
    case "finisher":
      return { ...simplest, finishers: [own] };
  }
}

/** What a method is measured against: rounding to nearest, or the model it began with. */
export function baselineOf({ role, options }: Method, scheme: Scheme, chosen: object) {
  if (role !== "quantizer") return { method: simplestQuantizer(scheme).id, scheme: scheme.id };
  const settings = options.parse(chosen);
  const shared = Object.keys(methods.rtn.options.shape).filter((name) => name in settings);
  return {
    method: methods.rtn.id,
    scheme: roundedLike(scheme).id,
    options: Object.fromEntries(shared.map((name) => [name, settings[name]])),
  };
}

/** The first method of the list that quantizes to a scheme without training the whole model. */
function simplestQuantizer(scheme: Scheme): Method {
  const found = allMethods.find(
    ({ role, supports, trainModel }) => role === "quantizer" && !trainModel && supports(scheme),
  );
  if (!found) throw new Error(`no quantizer supports ${scheme.id}`);
  return found;
}

/** A scheme that rounding to nearest supports: the same, or the usual one of as many bits. */
function roundedLike(scheme: Scheme): Scheme {
  if (methods.rtn.supports(scheme)) return scheme;
  return parseScheme(`w${scheme.grid.bits}`);
}

/** Options by which training is short and leaves states behind, as far as a method has them. */
export function briefly({ options }: Method, steps: number): Record<string, unknown> {
  const brief = { steps, checkpointEvery: 1 };
  return Object.fromEntries(Object.entries(brief).filter(([name]) => name in options.shape));
}

/** Whether a run of a method to a scheme needs text. */
export function needsText({ needs, trainModel }: Method, scheme: Scheme): boolean {
  const gathers = needs.statistics.length > 0 || needs.floatInputs === true;
  return gathers || trainModel !== undefined || hasFixedActivations(scheme);
}
