import { meanOf } from "../../util/sums.ts";

/** Importance of a column without inputs, as a share of the mean: it must not count for nothing. */
const leastImportance = 0.01;

/**
 * What the search of blocks takes for the importance of columns: their energies over the mean, above
 * 0 for all of them.
 */
export function importanceOfEnergies(energies: ArrayLike<number>): Float32Array {
  const mean = meanOf(energies) || 1;
  return Float32Array.from(energies, (energy) => energy / mean + leastImportance);
}
