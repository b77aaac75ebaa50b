import type { Method } from "../methods/define-method.ts";
import { grids } from "../quant/grids/index.ts";
import { makeScheme, parseScheme, type Scheme } from "../quant/scheme.ts";

/**
 * Chooses the scheme that an id means to the methods of a chain: its own, or, where the id names no
 * grid and one of them does not take the usual one, that with the grid which all of them take:
 * `w2g64` is `w2g64-floatzero` to HQQ. Where none fits the id keeps its meaning, to be refused.
 * @throws SchemeError when the id does not parse
 */
export function chooseScheme(id: string, chain: readonly Method[]): Scheme {
  const scheme = parseScheme(id);
  const namesGrid = id !== scheme.id || grids.find(hasBitsOf(scheme)) !== scheme.grid;
  if (namesGrid || supportedByAll(scheme, chain)) return scheme;
  const { bits } = scheme.grid;
  const fitting = schemesLike(scheme).filter((other) => supportedByAll(other, chain));
  const usual = chain.flatMap(({ usualGrid }) => usualGrid?.(bits) ?? []);
  return fitting.find(({ grid }) => usual.includes(grid.id)) ?? fitting[0] ?? scheme;
}

/** Says in a sentence which scheme was chosen in the place of what was written. */
export function describeChoice(id: string, chosen: Scheme, chain: readonly Method[]): string {
  const written = parseScheme(id);
  const picky = chain.filter((method) => !method.supports(written)).map(({ title }) => title);
  const verb = picky.length === 1 ? "does" : "do";
  return `${id} stands for ${chosen.id} here: ${picky.join(" and ")} ${verb} not take ${id} itself`;
}

/** Schemes with the bits, groups and activations of one, on every grid that can have these. */
export function schemesLike({ grid, groupSize, activation, sparse }: Scheme): Scheme[] {
  return grids
    .filter(hasBitsOf({ grid }))
    .filter(({ inputScales }) => !inputScales || (groupSize === null && activation === null))
    .filter(({ codebook = false }) => (codebook ? groupSize === null : sparse === null))
    .map((other) => makeScheme(other, groupSize, activation, sparse));
}

function hasBitsOf({ grid: { bits } }: Pick<Scheme, "grid">) {
  return (grid: Scheme["grid"]): boolean => grid.bits === bits;
}

function supportedByAll(scheme: Scheme, chain: readonly Method[]): boolean {
  return chain.every((method) => method.supports(scheme));
}
