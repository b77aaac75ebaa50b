import { isDeepStrictEqual } from "node:util";
import { type Method, methods, parseScheme, type Scheme } from "../../src/index.ts";
import { blockFormats } from "../../src/quant/blocks/index.ts";
import type { ActivationGrid } from "../../src/quant/activation-grid.ts";
import { grids } from "../../src/quant/grids/index.ts";
import { hasFixedActivations, makeScheme } from "../../src/quant/scheme.ts";
import { needsText as worksOnText } from "../../src/recipe/needs-text.ts";
import { takeTurns, wholeProducts } from "./spread.ts";

/*
 * What the conformance suite of methods runs: derived from what methods and grids declare, so that
 * a new one is among the cases without being named here.
 */

/** Every method, as shared code sees it. */
export const allMethods: readonly Method[] = Object.values(methods);

const activations: readonly ActivationGrid[] = [
  { bits: 8, mode: "token" },
  { bits: 8, mode: "static" },
  { bits: 8, mode: "integer" },
  { bits: 4, mode: "token" },
  { bits: 1, mode: "token" },
  { bits: 1, mode: "sign" },
];

/**
 * Every scheme: each grid, with a scale a row and with groups, with each way of activations; and
 * each format of blocks.
 */
export function everyScheme(groupSize: number): Scheme[] {
  return [...planarSchemes(groupSize), ...blockFormats.map(({ id }) => parseScheme(id))];
}

function planarSchemes(groupSize: number): Scheme[] {
  return grids.flatMap((grid) =>
    [null, groupSize].flatMap((size) =>
      [null, ...activations].flatMap((activation) =>
        [null, 0.45].flatMap((sparse) => parsed(makeScheme(grid, size, activation, sparse).id)),
      ),
    ),
  );
}

function parsed(id: string): Scheme[] {
  try {
    return [parseScheme(id)];
  } catch {
    // Some grids go with neither groups nor rounded inputs, most with no weights beside the codes.
    return [];
  }
}

/**
 * Schemes on which a method is measured: every grid that it supports, those of one bit-width in
 * turn with a scale a row and with groups, and each way of rounding activations.
 */
export function schemesFor(method: Method, groupSize: number): Scheme[] {
  const supported = everyScheme(groupSize).filter(
    (scheme) => method.supports(scheme) && (method.role === "quantizer" || isMade(scheme)),
  );
  const ofWeights = byBits(supported.filter(({ activation }) => activation === null));
  return [
    ...ofWeights.flatMap((schemes) => {
      const forms = Map.groupBy(schemes, ({ grid }) => grid);
      if (forms.size === 1) return schemes;
      return [...forms.values()].map((of, i) => of[i % of.length]);
    }),
    ...activations.flatMap(
      (way) => supported.findLast(({ activation }) => isDeepStrictEqual(activation, way)) ?? [],
    ),
  ];
}

/** Whether some quantizer that does not train the whole model gives weights of a scheme. */
function isMade(scheme: Scheme): boolean {
  return allMethods.some(
    ({ role, supports, trainModel }) => role === "quantizer" && !trainModel && supports(scheme),
  );
}

/** What a method runs on: what it is measured on, and that of which bytes are compared. */
export interface MethodCase {
  readonly method: Method;
  /** Schemes that it warns of nothing on, and that fit a trained model. */
  readonly measured: readonly Scheme[];
  readonly compared: readonly Scheme[];
}

/** How a trained model and a tiny one are quantized. */
export interface MethodSubjects {
  /** Widths of the rows of the trained model. */
  readonly trainedWidths: readonly number[];
  readonly groupSizes: { readonly trained: number; readonly tiny: number };
}

/**
 * The schemes of every method, in turn from method to method. It is measured on one scheme of each
 * bit-width, two of blocks and two that round activations; bytes are compared on one of each form,
 * and two of blocks.
 */
export function methodCases(
  { trainedWidths, groupSizes }: MethodSubjects,
  whole = wholeProducts,
): MethodCase[] {
  const toMeasure = takeTurns(turnOf, whole);
  const toCompare = takeTurns(turnOf, whole);
  return allMethods.map((method) => {
    const advised = schemesFor(method, groupSizes.trained).filter(
      (scheme) => fitsRows(scheme, trainedWidths) && isAdvised(method, scheme),
    );
    const { activated = [], blocks = [], planar = [] } = Object.groupBy(advised, kindOf);
    const forms = Map.groupBy(spreadOf(schemesFor(method, groupSizes.tiny)), formOf);
    return {
      method,
      measured: [
        ...byBits(planar).flatMap((schemes) => toMeasure(schemes)),
        ...toMeasure(blocks, 2),
        ...toMeasure(activated, 2),
      ],
      compared: [...forms].flatMap(([form, schemes]) =>
        toCompare(schemes, form === "blocks" ? 2 : 1),
      ),
    };
  });
}

/** What has its turn: a way of rounding inputs, whatever the weights, or a scheme of weights. */
function turnOf({ id, activation }: Scheme): string {
  return activation === null ? id : `${activation.bits} ${activation.mode}`;
}

function kindOf({ activation, blocks }: Scheme): "activated" | "blocks" | "planar" {
  if (activation !== null) return "activated";
  return blocks === null ? "planar" : "blocks";
}

/** What decides how codes, scales and roundings of inputs are made and stored. */
function formOf(scheme: Scheme): string {
  const kind = kindOf(scheme);
  if (kind === "activated") return hasFixedActivations(scheme) ? "fixed" : "rounded";
  if (kind === "blocks") return kind;
  if (scheme.sparse) return "sparse";
  if (scheme.grid.normalizedOutputs) return "normalized";
  return scheme.groupSize === null ? "rows" : "groups";
}

/**
 * Fewer of these schemes: one of each bit-width, in turn with a scale a row and with groups, and
 * all that round activations.
 */
function spreadOf(schemes: readonly Scheme[]): Scheme[] {
  const ofWeights = byBits(schemes.filter(({ activation }) => activation === null));
  const inTurn = ofWeights.map((of, i) => {
    const form = of.filter(({ groupSize }) => (groupSize === null) === (i % 2 === 0));
    return form[0] ?? of[0];
  });
  return [...inTurn, ...schemes.filter(({ activation }) => activation !== null)];
}

/**
 * Schemes of one bit-width together; those of layers that normalise their outputs, those of blocks,
 * and those with weights beside the codes, apart.
 */
function byBits(schemes: readonly Scheme[]): Scheme[][] {
  const nameOf = ({ grid, blocks, sparse }: Scheme) =>
    `${grid.bits} ${grid.normalizedOutputs ?? false} ${blocks !== null} ${sparse}`;
  return [...Map.groupBy(schemes, nameOf).values()];
}

/**
 * Methods that do the same kind of work on a model together: what they declare of their place, of
 * what they are given and of what they change.
 */
export function byWork(): Method[][] {
  const workOf = (method: Method): string =>
    [
      method.role,
      method.quantizeLinear && "linears",
      method.quantizeBlock && "blocks",
      method.transformBlock && "transformed blocks",
      method.rotateModel && "rotated model",
      method.trainModel && "trained model",
      method.needs.statistics.length > 0 && "statistics",
      method.needs.sensitivities && "sensitivities",
      method.usesOutputGradients && "gradients",
      method.scalesChannels && "channels",
      method.usesTeacher && "teacher",
    ]
      .filter(Boolean)
      .join();
  return [...Map.groupBy(allMethods, workOf).values()];
}

/**
 * The recipe that shows a method at work: a quantizer by itself, a transform in front of the
 * simplest quantizer of the scheme that it does not warn of, a finisher behind it.
 */
export function recipeWith(
  method: Method,
  scheme: Scheme,
  options: Record<string, unknown>,
): Record<string, unknown> {
  const { id, role } = method;
  const own = { method: id, options };
  const simplest = { method: quantizerFor(method, scheme).id, scheme: scheme.id };
  switch (role) {
    case "quantizer":
      return { ...own, scheme: scheme.id };
    case "transform":
      return { ...simplest, transforms: [own] };
    case "finisher":
      return { ...simplest, finishers: [own] };
  }
}

/**
 * What a method is measured against: rounding to nearest with the settings that both have, or the
 * recipe without a transform or finisher.
 */
export function baselineFor(
  method: Method,
  scheme: Scheme,
  chosen: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { role, options } = method;
  if (role !== "quantizer") return { method: quantizerFor(method, scheme).id, scheme: scheme.id };
  const { id, options: known } = methods.rtn;
  const usual: Readonly<Record<string, unknown>> = known.parse({});
  const shared = Object.entries(options.parse(chosen)).filter(
    ([name, value]) => name in usual && usual[name] !== value,
  );
  return { method: id, options: Object.fromEntries(shared), scheme: roundedLike(scheme).id };
}

/**
 * The first method of the list that quantizes to a scheme without training the whole model; of
 * these, the first that a transform or finisher does not warn of.
 */
function quantizerFor({ caution }: Method, scheme: Scheme): Method {
  const quantizers = allMethods.filter(
    ({ role, supports, trainModel }) => role === "quantizer" && !trainModel && supports(scheme),
  );
  const found = quantizers.find((quantizer) => !caution?.(scheme, quantizer)) ?? quantizers.at(0);
  if (!found) throw new Error(`no quantizer supports ${scheme.id}`);
  return found;
}

/** Whether a method, at work as `recipeWith` shows it, warns of nothing. */
function isAdvised(method: Method, scheme: Scheme): boolean {
  if (method.role === "quantizer") return !method.caution?.(scheme);
  return !method.caution?.(scheme, quantizerFor(method, scheme));
}

/**
 * A scheme that rounding to nearest supports: the same, or the usual one of as many bits with the
 * same activations.
 */
function roundedLike(scheme: Scheme): Scheme {
  if (methods.rtn.supports(scheme)) return scheme;
  const usual = grids.find(({ bits }) => bits === scheme.grid.bits);
  return usual ? makeScheme(usual, null, scheme.activation) : scheme;
}

/** Those of some settings that are options of a method. Of two lengths, steps count. */
export function optionsOf(
  { options: { shape } }: Method,
  { steps, epochs, ...rest }: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const hasSteps = steps !== undefined && "steps" in shape;
  const settings = { ...rest, ...(hasSteps ? { steps } : { epochs }) };
  return Object.fromEntries(
    Object.entries(settings).filter(([name, value]) => name in shape && value !== undefined),
  );
}

/** Whether rows of all these widths can be stored under a scheme. */
function fitsRows({ blocks }: Scheme, widths: readonly number[]): boolean {
  return blocks === null || widths.every((width) => width % blocks.columns === 0);
}

/** Whether a run of a method to a scheme, as `recipeWith` shows it, needs text. */
export function needsText(method: Method, scheme: Scheme): boolean {
  const at = method.role === "quantizer" ? [method] : [method, quantizerFor(method, scheme)];
  return at.some((each) => worksOnText(each)) || hasFixedActivations(scheme);
}
