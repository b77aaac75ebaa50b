import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import type { TensorView } from "../../src/backend/kernels.ts";
import {
  createNativeBackend,
  nativeAvailability,
} from "../../src/kernels/native/native-backend.ts";
import { packedRowBytes } from "../../src/quant/packing.ts";
import { bits4 } from "../../src/quant/packings/bits.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { floatsToHalves } from "../../src/util/half.ts";
import { blankOutput, normalSample, upload, uploadIds } from "./ops/data.ts";

const native = nativeAvailability();
const title = "native kernels give the same bits with 1, 2 and 5 threads";

describe.skipIf(!native.available)(
  native.available ? title : `${title} (skipped: ${native.reason})`,
  () => {
    test("matmul", () =>
      expectSameBits([70, 150], (backend, out) => {
        const [a, b] = [normalSample([70, 300], 1), normalSample([150, 300], 2)];
        const options = { transposeB: true };
        backend.kernels.matmul(out, upload(backend, a), upload(backend, b), options);
      }));

    for (const products of ["exact", "fast"] as const) {
      for (const tokens of [1, 3, 70]) {
        test(`packedMatmul of ${tokens} tokens, ${products}`, () =>
          expectSameBits([tokens, 150], (backend, out) => {
            const rowBytes = packedRowBytes(bits4, 300);
            const prepared = backend.prepare({
              outFeatures: 150,
              inFeatures: 300,
              groupSize: 64,
              layout: bits4,
              codes: Uint8Array.from({ length: 150 * rowBytes }, (_, i) => (i * 37) & 255),
              rowBytes,
              scales: floatsToHalves(normalSample([150 * 5], 3).values),
              zeroPoints: null,
              origin: -8,
              step: 1,
            });
            const x = upload(backend, normalSample([tokens, 300], 4));
            backend.kernels.packedMatmul(out, x, prepared, products);
          }));
      }
    }

    for (const [length, keys] of [
      [1, 120],
      [1, 1300],
      [90, 120],
    ] as const) {
      for (const dtype of ["f32", "f16"] as const) {
        test(`attention of ${length} tokens over ${keys} ${dtype} keys`, () =>
          expectSameBits([2, length, 6, 20], (backend, out) => {
            const [q, k, v] = [
              normalSample([2, length, 6, 20], 5),
              normalSample([2, keys + 10, 3, 20], 6, dtype),
              normalSample([2, keys + 10, 3, 20], 7, dtype),
            ].map((sample) => upload(backend, sample));
            backend.kernels.attention(out, q, k, v, { scale: 0.3, keyLength: keys });
          }));
      }
    }

    test("attentionBackward", () =>
      expectSameBits([3, 40, 2, 20], (backend, dK) => {
        const queries = [3, 40, 6, 20];
        const dV = blankOutput(backend, dK.shape);
        const [q, dOut] = [1, 2].map((seed) => upload(backend, normalSample(queries, seed)));
        const [k, v] = [3, 4].map((seed) => upload(backend, normalSample(dK.shape, seed)));
        const dQ = blankOutput(backend, queries);
        backend.kernels.attentionBackward(dQ, dK, dV, dOut, q, k, v, { scale: 0.3 });
      }));

    test("rmsNormBackward: the gradient of the weight", () =>
      expectSameBits([172], (backend, dWeight) => {
        const [dOut, x] = [1, 2].map((seed) => upload(backend, normalSample([200, 172], seed)));
        const weight = upload(backend, normalSample([172], 3));
        backend.kernels.rmsNormBackward(null, dWeight, dOut, x, weight, 1e-5);
      }));

    test("embeddingBackward", () =>
      expectSameBits([300, 172], (backend, dTable) => {
        const ids = uploadIds(
          backend,
          Array.from({ length: 500 }, (_, t) => (t * t) % 300),
        );
        const [first, second] = [1, 2].map((seed) =>
          upload(backend, normalSample([500, 172], seed)),
        );
        backend.kernels.embeddingBackward(dTable, first, ids, false);
        backend.kernels.embeddingBackward(dTable, second, ids, true);
      }));

    test("squaredError and sumSquares", () =>
      expectSameBits([2], (backend, out) => {
        const [a, b] = [1, 2].map((seed) => upload(backend, normalSample([500, 200], seed)));
        const totals = [0, 1].map(() => Tensor.zeros(backend, "f64", [1]));
        const weights = upload(backend, normalSample([500], 3));
        const difference = blankOutput(backend, a.shape);
        backend.kernels.squaredError(totals[0], difference, a, b, weights, 1);
        backend.kernels.sumSquares(totals[1], a);
        const { storage } = out;
        for (const [i, total] of totals.entries()) {
          const element = backend.view(storage, "f32", i, 1);
          backend.kernels.cast({ dtype: "f32", shape: [1], storage: element }, total);
        }
      }));

    test("klDivergence", () =>
      expectSameBits([40], (backend, out) => {
        const [p, q] = [normalSample([40, 3000], 8), normalSample([40, 3000], 9)];
        const agree = blankOutput(backend, [40]);
        backend.kernels.klDivergence(out, agree, upload(backend, p), upload(backend, q));
      }));
  },
);

async function expectSameBits(
  shape: readonly number[],
  run: (backend: Backend, out: TensorView) => void,
): Promise<void> {
  const results: Float32Array[] = [];
  for (const threads of [1, 2, 5]) {
    const backend = createNativeBackend({ threads });
    const out = blankOutput(backend, shape);
    run(backend, out);
    results.push(await out.read());
    backend.close();
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
}
