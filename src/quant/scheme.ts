import { SchemeError } from "../util/errors.ts";
import { suggestName } from "../util/nearest.ts";
import {
  activationBits,
  type ActivationGrid,
  type ActivationMode,
  isBinary,
  isCoarse,
  isFixed,
} from "./activation-grid.ts";
import { blockGrid } from "./blocks/block-grid.ts";
import type { BlockFormat } from "./blocks/block-format.ts";
import { blockFormats } from "./blocks/index.ts";
import type { Grid, PlanarGrid } from "./grid.ts";
import { grids } from "./grids/index.ts";
import type { Packing } from "./packing.ts";
import { packings } from "./packings/index.ts";
import { groupSizes, suggestScheme } from "./suggest-scheme.ts";
import { shortValue } from "../util/parse-value.ts";

/**
 * How a weight matrix is stored: grid × granularity × packing, with float16 scales, to which codes
 * are chosen. Frozen; its id is canonical (`w2g64`, `w3g128-sym`, `w1.58`, `q4_k`). Codes, scales
 * and zero points lie apart, or together in the blocks of a type of ggml.
 */
export type Scheme = PlanarScheme | BlockScheme;

/** A scheme whose codes, scales and zero points are arrays of their own. */
export interface PlanarScheme {
  readonly id: string;
  readonly grid: PlanarGrid;
  readonly packing: Packing;
  /** Columns that share a scale, or null for one scale a row. */
  readonly groupSize: number | null;
  /** How inputs are rounded; null leaves them in floats. */
  readonly activation: ActivationGrid | null;
  /** Percent of the weights that stand beside the codes as float16; null: none. */
  readonly sparse: number | null;
  readonly blocks: null;
}

/** A scheme whose rows are runs of blocks, each of codes, scales and offsets. */
export interface BlockScheme {
  readonly id: string;
  readonly grid: Grid;
  readonly packing: null;
  /** Columns that share a sub-scale, or all of a block. */
  readonly groupSize: number;
  readonly activation: null;
  readonly sparse: null;
  readonly blocks: BlockFormat;
}

/** Characters that are read of an id; the longest that there is has about thirty. */
const longestId = 100;

const [smallestGroup, largestGroup] = groupSizes;
/** Names of grids may end in a digit, which is never one of rounded activations (`a8`). */
const grammar =
  /^w(\d+(?:\.\d+)?)(?:g(\d+))?((?:-[a-z]+?(?:(?<!a)\d)?)*?)(?:-s(\d+(?:\.\d+)?))?(?:a(\d+)(?:-(static|integer|sign))?)?$/;
/** Percent of the weights that may stand beside the codes. */
const sparseShares = [0.01, 10] as const;

const blockSchemes: ReadonlyMap<string, BlockScheme> = new Map(
  blockFormats.map((format) => [format.id, schemeOfBlocks(format)]),
);

function schemeOfBlocks(blocks: BlockFormat): BlockScheme {
  const { id, groupColumns } = blocks;
  const grid = blockGrid(blocks);
  return Object.freeze({
    id,
    grid,
    packing: null,
    groupSize: groupColumns,
    activation: null,
    sparse: null,
    blocks,
  });
}

/**
 * Reads a scheme id
 * `w<bits>[g<size>][-sym][-<grid>][-s<percent>][a1[-sign]|a4|a6|a8[-static|-integer]]`, or the
 * name of a block format such as `q4_k`, in letters of either case. `-asym` and the default grid's name are
 * accepted and dropped from the canonical id.
 * @throws SchemeError when the id does not parse or no grid fits
 */
export function parseScheme(id: string): Scheme {
  const written = id.slice(0, longestId);
  const ofBlocks = blockSchemes.get(written.toLowerCase());
  if (ofBlocks && written === id) return ofBlocks;
  const match = grammar.exec(written);
  if (!match || written !== id) {
    throw new SchemeError(`${shortValue(id)} is not a scheme id`, { hint: suggestScheme(written) });
  }
  const [, bitsText, groupText, namesText = "", share, inputBits, mode = "token"] = match;
  const grid = findGrid(id, Number(bitsText), namesText.split("-").slice(1));
  const activation = parseActivation(id, inputBits, mode);
  const groupSize = groupText === undefined ? null : Number(groupText);
  if (groupSize !== null && (groupSize < smallestGroup || groupSize > largestGroup)) {
    throw new SchemeError(
      `scheme ${id}: a group of ${groupText} is outside ${smallestGroup} to ${largestGroup}`,
      { hint: suggestScheme(id) },
    );
  }
  if (grid.inputScales && (groupSize !== null || activation !== null)) {
    throw new SchemeError(`scheme ${id}: the grid has no groups and takes float inputs`, {
      hint: `use ${makeScheme(grid, null).id}`,
    });
  }
  if (grid.codebook && groupSize !== null) {
    throw new SchemeError(`scheme ${id}: a codebook belongs to a row, which has no groups`, {
      hint: `use ${makeScheme(grid, null, activation).id}`,
    });
  }
  const scheme = makeScheme(grid, groupSize, activation, parseShare(id, share, grid));
  if (mode === "integer" && !hasIntegerRows(scheme)) {
    throw new SchemeError(`scheme ${id}: integer outputs need 8-bit weights with a scale a row`, {
      hint: "use w8-narrowa8-integer",
    });
  }
  return scheme;
}

/** The percentage of weights that a scheme id lets stand beside the codes; null where it does not. */
function parseShare(id: string, written: string | undefined, grid: PlanarGrid): number | null {
  if (written === undefined) return null;
  const [least, most] = sparseShares;
  const share = Math.round(Number(written) * 100) / 100;
  if (share < least || share > most) {
    throw new SchemeError(
      `scheme ${id}: ${written} % of the weights beside the codes are outside ${least} to ${most} %`,
    );
  }
  if (grid.codebook) return share;
  throw new SchemeError(`scheme ${id}: only weights with a codebook can have others beside them`, {
    hint: "use w3-codebook-s0.45, or w4-codebook-s0.45",
  });
}

/** How a scheme id rounds activations; null where it does not. */
function parseActivation(
  id: string,
  written: string | undefined,
  mode: string,
): ActivationGrid | null {
  if (written === undefined) return null;
  const rest = (activations: string): string =>
    id.replace(/a\d+(-(static|integer|sign))?$/, activations);
  const bits = activationBits.find((offered) => String(offered) === written);
  if (bits === undefined) {
    throw new SchemeError(`scheme ${id}: activations of ${written} bits are not offered`, {
      hint: `use a1, a4, a6 or a8: ${rest("a8")}`,
    });
  }
  const grid: ActivationGrid = { bits, mode: mode as ActivationMode };
  if (mode === "sign" && bits !== 1) {
    throw new SchemeError(`scheme ${id}: signs have 1 bit, not ${bits}`, {
      hint: `use ${rest("a1-sign")}, or ${rest(`a${bits}`)}`,
    });
  }
  if (isFixed(grid) && bits !== 8) {
    throw new SchemeError(`scheme ${id}: activations by fixed ranges have 8 bits, not ${bits}`, {
      hint: `use ${rest(`a${bits}`)}, or ${rest(`a8-${mode}`)}`,
    });
  }
  return grid;
}

/**
 * Builds the scheme of a grid, a group size (null: one scale a row), a grid of activations, and the
 * percentage of weights that stand beside the codes.
 */
export function makeScheme(
  grid: PlanarGrid,
  groupSize: number | null,
  activation: ActivationGrid | null = null,
  sparse: number | null = null,
): PlanarScheme {
  const isDefault = defaultGrid(grid.bits) === grid;
  const weights = `w${grid.bits}${groupSize === null ? "" : `g${groupSize}`}`;
  const named = `${weights}${isDefault ? "" : `-${grid.id}`}${sparse === null ? "" : `-s${sparse}`}`;
  const id = `${named}${activationSuffix(activation)}`;
  return Object.freeze({
    id,
    grid,
    packing: packings[grid.packing],
    groupSize,
    activation,
    sparse,
    blocks: null,
  });
}

/** The same weights with inputs in floats. */
export function withoutActivations(scheme: Scheme): Scheme {
  if (!scheme.activation) return scheme;
  return makeScheme(scheme.grid, scheme.groupSize, null, scheme.sparse);
}

/** The same codes without weights beside them. */
export function withoutSparse(scheme: Scheme): Scheme {
  if (scheme.sparse === null) return scheme;
  return makeScheme(scheme.grid, scheme.groupSize, scheme.activation);
}

/** How many weights of `[outFeatures, inFeatures]` stand beside the codes. */
export function sparseWeights({ sparse }: Scheme, outFeatures: number, inFeatures: number): number {
  return Math.round((outFeatures * inFeatures * (sparse ?? 0)) / 100);
}

/** Returns a scheme that stores codes by themselves. @throws SchemeError when it has blocks */
export function expectPlanar(scheme: Scheme): PlanarScheme {
  if (scheme.blocks === null) return scheme;
  throw new SchemeError(`codes of the scheme ${scheme.id} lie in blocks, together with scales`);
}

/** Returns a scheme of blocks. @throws SchemeError when it stores codes by themselves */
export function expectBlocks(scheme: Scheme): BlockScheme {
  if (scheme.blocks) return scheme;
  throw new SchemeError(`codes of the scheme ${scheme.id} lie by themselves, not in blocks`);
}

/**
 * Checks that a row of so many columns can be stored.
 * @throws SchemeError when it is not a whole number of blocks; the hint names what fits
 */
export function expectWholeBlocks({ id, blocks }: Scheme, inFeatures: number): void {
  if (!blocks || inFeatures % blocks.columns === 0) return;
  const fitting = blockFormats.filter(({ columns }) => inFeatures % columns === 0);
  const names = fitting.map((format) => format.id).join(", ");
  throw new SchemeError(
    `scheme ${id}: rows of ${inFeatures} columns are no whole number of its blocks of ` +
      `${blocks.columns}`,
    {
      hint: names
        ? `for these rows use one of ${names}`
        : "no block format fits these rows; use a scheme such as w4g32",
    },
  );
}

/** Returns the number of groups a row of `inFeatures` weights has, each with a scale if any has. */
export function groupsPerRow(scheme: Scheme, inFeatures: number): number {
  return scheme.groupSize === null ? 1 : Math.ceil(inFeatures / scheme.groupSize);
}

/** Whether weights are 8-bit integers, one scale a row, no zero points: for integer kernels. */
export function hasIntegerRows({ grid, groupSize }: Scheme): boolean {
  return groupSize === null && grid.bits === 8 && grid.zeroPoint === "none" && grid.step === 1;
}

/**
 * Whether a weight depends on nothing but its code and the scale and zero point of its group, which
 * are stored by themselves.
 */
export function hasIndependentGroups({ grid, blocks }: Scheme): boolean {
  return !grid.inputScales && !grid.codebook && blocks === null;
}

/** Whether the values of neighbouring codes are a step apart everywhere in a group. */
export function hasEvenLevels({ grid }: Pick<Scheme, "grid">): boolean {
  return !grid.values && !grid.codebook;
}

/**
 * Whether layers of the scheme do so much more than multiply by their weights that what comes behind
 * them is to be quantized with what they give: they normalise it, or round their inputs coarsely.
 */
export function isMoreThanWeights({ grid, activation }: Scheme): boolean {
  return (grid.normalizedOutputs ?? false) || isCoarse(activation);
}

/** Whether layers of the scheme need ranges of their activations, which calibration text gives. */
export function hasFixedActivations({ activation }: Scheme): boolean {
  return isFixed(activation);
}

/**
 * Whether weights and inputs are signs with at most one scale a row, for kernels that count bits.
 * Grids of such weights differ in how they are trained alone.
 */
export function hasBinaryRows({ grid, groupSize, activation }: Scheme): boolean {
  const isOfSigns = grid.levels === 2 && grid.origin === -1 && grid.zeroPoint === "none";
  return isBinary(activation) && isOfSigns && !grid.inputScales && groupSize === null;
}

function activationSuffix(activation: ActivationGrid | null): string {
  if (!activation) return "";
  const { bits, mode } = activation;
  return `a${bits}${mode === "token" ? "" : `-${mode}`}`;
}

function defaultGrid(bits: number): PlanarGrid | undefined {
  return grids.find((grid) => grid.bits === bits);
}

function findGrid(id: string, bits: number, names: readonly string[]): PlanarGrid {
  const usual = defaultGrid(bits);
  if (!usual) {
    const hint = suggestScheme(id);
    throw new SchemeError(`scheme ${id}: ${bits} bits is not offered`, { hint });
  }
  const named = names.filter(
    (name) => name !== usual.id && !(name === "asym" && usual.zeroPoint !== "none"),
  );
  if (named.length === 0) return usual;
  const grid = grids.find((candidate) => candidate.bits === bits && candidate.id === named[0]);
  if (named.length > 1 || !grid) {
    const options = grids.filter((candidate) => candidate.bits === bits).map((g) => g.id);
    const hint = `${suggestName(named[0], options, "")} ${bits}-bit grids: ${options.join(", ")}`;
    throw new SchemeError(`scheme ${id}: no ${bits}-bit grid "${named.join("-")}"`, {
      hint: hint.trim(),
    });
  }
  return grid;
}
