/** How many weights stand beside the codes, and how many of these for their sensitivity. */
export interface SparseChoice {
  readonly count: number;
  readonly sensitive: number;
}

/**
 * Chooses the weights of a matrix that are kept beside the codes: the most sensitive ones, then the
 * largest of the others. The rule of SqueezeLLM, `|w| ≥ max(|q1 − r·IQR|, |q3 + r·IQR|)` with
 * quartiles q1 and q3, takes the largest for every r; here r is what gives the number asked for.
 * Ties go to the lower place.
 * @returns rising places
 */
export function chooseSparse(
  values: Float32Array,
  sensitivities: Float32Array,
  { count, sensitive }: SparseChoice,
): Uint32Array {
  const chosen = largestPlaces(sensitivities, sensitive);
  const magnitudes = values.map(Math.abs);
  for (const place of chosen) magnitudes[place] = -1;
  const outliers = largestPlaces(magnitudes, count - chosen.length);
  return Uint32Array.from([...chosen, ...outliers]).sort();
}

/** Places of the largest scores, so many of them. */
function largestPlaces(scores: Float32Array, count: number): number[] {
  if (count <= 0) return [];
  const least = scores.slice().sort()[scores.length - count];
  const above: number[] = [];
  const ties: number[] = [];
  for (const [place, score] of scores.entries()) {
    if (score > least) above.push(place);
    else if (score === least && ties.length < count) ties.push(place);
  }
  return [...above, ...ties.slice(0, count - above.length)];
}
