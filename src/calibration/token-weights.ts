/** Mean squares below this share of their mean count as if they were it: such tokens say nothing. */
const leastShare = 1e-6;

/**
 * Weighs tokens by the size of their hidden states h `[tokens, hiddenSize]`: `mean(h²)^−power`.
 * Power 0 takes squared errors as they are, 1 relative to h. All that reads a residual stream
 * normalises it, so that errors as they are would let the few tokens with massive activations
 * (arXiv 2402.17762) rule alone; by relative errors these would count like others, while all others
 * attend to them. Returns `[tokens]`; 0 for tokens whose states are all 0.
 */
export function tokenWeights(
  hidden: Float32Array,
  hiddenSize: number,
  power: number,
): Float32Array {
  const squares = new Float64Array(hidden.length / hiddenSize);
  let total = 0;
  for (let token = 0, at = 0; token < squares.length; token++) {
    let sum = 0;
    for (const end = at + hiddenSize; at < end; at++) sum += hidden[at] * hidden[at];
    squares[token] = sum / hiddenSize;
    total += squares[token];
  }
  const least = (leastShare * total) / squares.length;
  return Float32Array.from(squares, (square) =>
    square === 0 ? 0 : Math.max(square, least) ** -power,
  );
}
