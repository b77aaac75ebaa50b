/**
 * Returns the known name most like `name`, if like enough to be meant, or the only one that begins
 * with it; null otherwise.
 */
export function nearestName(name: string, known: readonly string[]): string | null {
  const wanted = name.toLowerCase();
  let best: string | null = null;
  // A third of the letters may differ, and two in any case, but never all.
  const most = Math.max(2, Math.floor(wanted.length / 3));
  let least = Math.min(most, wanted.length - 1) + 1;
  for (const candidate of known) {
    // So many letters it takes at least; a long text is not compared with short names.
    if (Math.abs(wanted.length - candidate.length) >= least) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance >= least) continue;
    least = distance;
    best = candidate;
  }
  if (best !== null || wanted.length < shortestBeginning) return best;
  const [begun, ...others] = known.filter((each) => each.toLowerCase().startsWith(wanted));
  return others.length === 0 ? (begun ?? null) : null;
}

/** A beginning of fewer letters says too little. */
const shortestBeginning = 3;

/** A hint for a name that is not known: the one that was meant, or `otherwise`. */
export function suggestName<Otherwise extends string | undefined | null>(
  name: string,
  known: readonly string[],
  otherwise: Otherwise,
): string | Otherwise {
  const nearest = nearestName(name, known);
  return nearest === null ? otherwise : `did you mean ${nearest}?`;
}

/** Insertions, deletions, substitutions and swaps of neighbours from one text to the other. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, substituted);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.length];
}
