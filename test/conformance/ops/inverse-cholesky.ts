import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { normalSample } from "./data.ts";
import { remember } from "./remember.ts";

/** xᵀ·x of random rows plus a diagonal: symmetric and positive definite. */
function positiveMatrix(n: number, seed: number): Float64Array {
  const x = normalSample([2 * n, n], seed).values;
  const h = new Float64Array(n * n);
  for (let t = 0; t < 2 * n; t++) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) h[i * n + j] += x[t * n + i] * x[t * n + j];
    }
  }
  return h;
}

async function invert(
  backend: Backend,
  h: Tensor<"f64">,
  diagonal: Float64Array,
  order: Int32Array | null = null,
) {
  const n = diagonal.length;
  const u = Tensor.from(backend, "f32", [n, n], new Float32Array(n * n).fill(Number.NaN));
  const status = Tensor.from(backend, "i32", [1], Int32Array.of(-7));
  const pivots = Tensor.from(backend, "f64", [n], diagonal.slice());
  const places = order && Tensor.from(backend, "i32", [n], order);
  backend.kernels.inverseCholesky(u, h, pivots, status, places);
  return { u: await u.read(), status: (await status.read())[0] };
}

/** The largest |uᵀ·u·a − 1|. */
function inverseError(u: Float32Array, a: Float64Array, n: number): number {
  let worst = 0;
  for (let j = 0; j < n; j++) {
    const ua = new Float64Array(n);
    for (let t = 0; t < n; t++) {
      for (let k = t; k < n; k++) ua[t] += u[t * n + k] * a[k * n + j];
    }
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let t = 0; t <= i; t++) sum += u[t * n + i] * ua[t];
      worst = Math.max(worst, Math.abs(sum - (i === j ? 1 : 0)));
    }
  }
  return worst;
}

/** Checks `inverseCholesky`. */
export function testInverseCholesky(open: () => Backend): void {
  describe("inverseCholesky", () => {
    test("uᵀ·u is the inverse, u is upper, and a second diagonal can follow", async () => {
      for (const n of [1, 2, 5, 33, 64, 130]) {
        const backend = open();
        const a = remember(`positive ${n}`, () => positiveMatrix(n, n));
        const h = Tensor.from(backend, "f64", [n, n], a.slice());
        for (const damping of [0, 3.5]) {
          const diagonal = Float64Array.from({ length: n }, (_, i) => a[i * n + i] + damping);
          const damped = a.map((value, i) => (i % (n + 1) === 0 ? value + damping : value));
          const { u, status } = await invert(backend, h, diagonal);
          expect(status).toBe(0);
          expect(inverseError(u, damped, n)).toBeLessThan(1e-4);
          for (let i = 0; i < n; i++) {
            expect(u[i * n + i]).toBeGreaterThan(0);
            expect(u.subarray(i * n, i * n + i).every((value) => value === 0)).toBe(true);
          }
        }
      }
    });

    test("in an order it is the factor of the matrix in that order, and h keeps its own", async () => {
      for (const n of [5, 33, 130]) {
        const backend = open();
        const a = remember(`positive ${n}`, () => positiveMatrix(n, n));
        const order = Int32Array.from({ length: n }, (_, i) => (7 * i + 3) % n);
        const ordered = a.map((_, at) => a[order[Math.floor(at / n)] * n + order[at % n]]);
        const diagonal = Float64Array.from({ length: n }, (_, i) => ordered[i * n + i] + 1);
        const h = Tensor.from(backend, "f64", [n, n], a.slice());
        const { u, status } = await invert(backend, h, diagonal, order);
        const straight = Tensor.from(backend, "f64", [n, n], ordered);
        expect(status).toBe(0);
        expect(u).toEqual((await invert(backend, straight, diagonal)).u);
        const left = await h.read();
        for (let i = 0; i < n; i++) {
          expect(left.subarray(i * n, i * n + i)).toEqual(a.subarray(i * n, i * n + i));
        }
      }
    });

    test("a pivot that is not positive is named and nothing crashes", async () => {
      for (const n of [1, 3, 70, 150]) {
        const bad = Math.floor(n / 2);
        for (const pivot of [0, -2, Number.NaN]) {
          const backend = open();
          const h = Tensor.zeros(backend, "f64", [n, n]);
          const diagonal = new Float64Array(n).fill(1);
          diagonal[bad] = pivot;
          expect((await invert(backend, h, diagonal)).status).toBe(bad + 1);
        }
      }
    });
  });
}
