/** Orders above this are not worth their products: a matrix of the odd part is smaller. */
const largestOrder = 1024;

/**
 * Returns a Hadamard matrix, `[order, order]` of ±1 with orthogonal rows, by Paley's constructions
 * over a prime q: of order q + 1 (q ≡ 3 mod 4) or 2·(q + 1) (q ≡ 1 mod 4). The first column is ones.
 * Null where neither gives one. Source: R. Paley, On orthogonal matrices, 1933.
 */
export function paleyMatrix(order: number): Float64Array | null {
  const [first, second] = [order - 1, order / 2 - 1];
  if (first % 4 === 3 && isPrime(first)) return withOnes(firstPaley(first), order);
  if (second % 4 === 1 && isPrime(second)) return withOnes(secondPaley(second), order);
  return null;
}

/**
 * Splits a size into the order of a Hadamard matrix by Paley, `odd·2^j`, and a power of two; or
 * into its odd part where there is none (`matrix` is null).
 */
export function splitSize(size: number): {
  readonly order: number;
  readonly matrix: Float64Array | null;
} {
  let odd = size;
  while (odd % 2 === 0) odd /= 2;
  if (odd === 1) return { order: 1, matrix: Float64Array.of(1) };
  for (let order = 4 * odd; size % order === 0 && order <= largestOrder; order *= 2) {
    const matrix = paleyMatrix(order);
    if (matrix) return { order, matrix };
  }
  return { order: odd, matrix: null };
}

/** Multiplies each run of `length` values, a power of two, by the Hadamard matrix of Sylvester. */
export function transformRuns(x: Float64Array, length: number): void {
  let half = 1;
  for (; 4 * half <= length; half *= 4) {
    for (let start = 0; start < x.length; start += 4 * half) {
      for (let i = start; i < start + half; i++) addFour(x, i, half);
    }
  }
  if (half === length) return;
  for (let start = 0; start < x.length; start += 2 * half) {
    for (let i = start; i < start + half; i++) {
      const a = x[i];
      const b = x[i + half];
      x[i] = a + b;
      x[i + half] = a - b;
    }
  }
}

/** Two steps of the transform at once, on the values `i`, `i + half`, ... */
function addFour(x: Float64Array, i: number, half: number): void {
  const a = x[i] + x[i + half];
  const b = x[i] - x[i + half];
  const c = x[i + 2 * half] + x[i + 3 * half];
  const d = x[i + 2 * half] - x[i + 3 * half];
  x[i] = a + c;
  x[i + half] = b + d;
  x[i + 2 * half] = a - c;
  x[i + 3 * half] = b - d;
}

/** `[[1, 1ᵀ], [−1, I + Q]]`, Q the quadratic residues of differences. */
function firstPaley(q: number): Float64Array {
  const character = quadraticCharacter(q);
  const order = q + 1;
  const matrix = new Float64Array(order * order).fill(1, 0, order);
  for (let row = 0; row < q; row++) {
    const at = (row + 1) * order;
    matrix[at] = -1;
    for (let column = 0; column < q; column++) {
      matrix[at + 1 + column] = row === column ? 1 : character[(row - column + q) % q];
    }
  }
  return matrix;
}

/** `C ⊗ [[1, 1], [1, −1]] + I ⊗ [[1, −1], [−1, −1]]`, C = `[[0, 1ᵀ], [1, Q]]`. */
function secondPaley(q: number): Float64Array {
  const character = quadraticCharacter(q);
  const order = 2 * (q + 1);
  const matrix = new Float64Array(order * order);
  const conference = (row: number, column: number): number => {
    if (row === column) return 0;
    return row === 0 || column === 0 ? 1 : character[(row - column + q) % q];
  };
  for (let row = 0; row <= q; row++) {
    for (let column = 0; column <= q; column++) {
      const value = conference(row, column);
      const cell = row === column ? [1, -1, -1, -1] : [value, value, value, -value];
      const at = 2 * row * order + 2 * column;
      matrix.set(cell.slice(0, 2), at);
      matrix.set(cell.slice(2), at + order);
    }
  }
  return matrix;
}

/** 1 for squares modulo the prime q, −1 for others, 0 for 0. */
function quadraticCharacter(q: number): Int8Array {
  const character = new Int8Array(q).fill(-1);
  character[0] = 0;
  for (let x = 1; x < q; x++) character[(x * x) % q] = 1;
  return character;
}

/** Changes signs of rows so that the first column is ones. */
function withOnes(matrix: Float64Array, order: number): Float64Array {
  return matrix.map((value, at) => value * matrix[at - (at % order)]);
}

function isPrime(n: number): boolean {
  if (n < 2) return false;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}
