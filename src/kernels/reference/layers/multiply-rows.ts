/** A row-major float32 matrix inside a larger array. */
export interface Rows {
  readonly data: Float32Array;
  /** Number of rows. */
  readonly count: number;
}

/** Where a block of products goes. */
export interface ProductTarget {
  readonly out: Float32Array;
  /** Elements from one row of the output to the next. */
  readonly stride: number;
  /** Column of the output that takes the product with row 0 of `b`. */
  readonly column: number;
  readonly alpha: number;
  /** 0 overwrites, 1 adds. */
  readonly beta: 0 | 1;
}

/**
 * Multiplies every row of `a` with every row of `b`, both `k` long: `a·bᵀ`. Sums run in float64 in
 * tiles of 2 × 4 products, so that each loaded element is used more than once.
 */
export function multiplyRows(target: ProductTarget, a: Rows, b: Rows, k: number): void {
  for (let i = 0; i < a.count; i += 2) {
    const pair = i + 1 < a.count;
    for (let j = 0; j < b.count; j += 4) {
      if (pair && j + 3 < b.count) multiplyTile(target, a.data, i, b.data, j, k);
      else multiplyEdge(target, a, i, b, j, k);
    }
  }
}

function multiplyTile(
  target: ProductTarget,
  a: Float32Array,
  i: number,
  b: Float32Array,
  j: number,
  k: number,
): void {
  const [a0, b0] = [i * k, j * k];
  const [a1, b1, b2, b3] = [a0 + k, b0 + k, b0 + 2 * k, b0 + 3 * k];
  let [s00, s01, s02, s03, s10, s11, s12, s13] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let p = 0; p < k; p++) {
    const x0 = a[a0 + p];
    const x1 = a[a1 + p];
    const y0 = b[b0 + p];
    const y1 = b[b1 + p];
    const y2 = b[b2 + p];
    const y3 = b[b3 + p];
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s03 += x0 * y3;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s13 += x1 * y3;
  }
  store(target, i, j, s00);
  store(target, i, j + 1, s01);
  store(target, i, j + 2, s02);
  store(target, i, j + 3, s03);
  store(target, i + 1, j, s10);
  store(target, i + 1, j + 1, s11);
  store(target, i + 1, j + 2, s12);
  store(target, i + 1, j + 3, s13);
}

function multiplyEdge(
  target: ProductTarget,
  a: Rows,
  i: number,
  b: Rows,
  j: number,
  k: number,
): void {
  const x = a.data;
  const y = b.data;
  for (let row = i; row < Math.min(i + 2, a.count); row++) {
    for (let column = j; column < Math.min(j + 4, b.count); column++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += x[row * k + p] * y[column * k + p];
      store(target, row, column, sum);
    }
  }
}

function store(target: ProductTarget, row: number, column: number, sum: number): void {
  const index = row * target.stride + target.column + column;
  const before = target.beta === 1 ? target.out[index] : 0;
  target.out[index] = before + target.alpha * sum;
}
