import { describe, expect, test } from "vitest";
import type { TensorView } from "../../backend/kernels.ts";
import type { DType, TypedArray } from "../../tensor/dtype.ts";
import { BackendError, ShapeError, UnsupportedError, UsageError } from "../../util/errors.ts";
import { loadAddon } from "./addon.ts";
import { bindings } from "./bindings/index.ts";
import { createNativeBackend, type NativeBackend, nativeAvailability } from "./native-backend.ts";
import { NativeQueue } from "./queue.ts";

const native = nativeAvailability();
const title = native.available ? "native backend" : `native backend (skipped: ${native.reason})`;

function view(dtype: DType, shape: readonly number[], storage: TypedArray): TensorView {
  return { dtype, shape, storage };
}

/** Numbers in [−1, 1) that depend on the index alone. */
function noise(length: number): Float32Array {
  return Float32Array.from(
    { length },
    (_, i) => ((Math.imul(i + 1, 0x9e3779b1) >>> 8) % 2001) / 1000 - 1,
  );
}

function openQueue(threads = 2): NativeQueue {
  const result = loadAddon();
  if (!("addon" in result)) throw new Error(result.reason);
  return new NativeQueue(result.addon, "portable", threads);
}

async function withBackend<R>(
  threads: number,
  body: (backend: NativeBackend) => R | Promise<R>,
): Promise<R> {
  const backend = createNativeBackend({ threads });
  try {
    return await body(backend);
  } finally {
    backend.close();
  }
}

describe.skipIf(!native.available)(title, () => {
  test("names its level and threads", () =>
    withBackend(3, (backend) => {
      expect(backend.threads).toBe(3);
      expect(native.available && native.levels.map(({ name }) => name)).toContain(backend.level);
      expect(backend.description).toMatch(/^native \(.+\)$/);
    }));

  test("refuses levels and thread counts that do not exist, and says which do", () => {
    expect(() => createNativeBackend({ level: "mmx" })).toThrow(
      /expected an instruction level of portable.*"mmx"/,
    );
    expect(() => createNativeBackend({ threads: 0 })).toThrow(UsageError);
    expect(() => createNativeBackend({ threads: 1.5 })).toThrow(UsageError);
  });

  test("a profile counts the calls and the time of each op since the one before", () => {
    const queue = openQueue();
    const [out, a, b] = [new Float32Array(1000), noise(1000), noise(1000)];
    const add = (): void => queue.run("add", [out, a, b, 1, 1000]);
    add();
    expect(queue.profile()).toEqual([]);
    for (let i = 0; i < 5; i++) add();
    queue.run("copy", [out, a]);
    const counted = queue.profile();
    expect(counted.map(({ op, calls }) => [op, calls])).toEqual([
      ["(between ops)", 5],
      ["add", 5],
      ["copy", 1],
    ]);
    for (const { nanoseconds } of counted) expect(nanoseconds).toBeGreaterThan(0);
    expect(queue.profile()).toEqual([]);
    queue.close();
  });

  test("refuses shapes and dtypes that C could not rely on, before the call", () =>
    withBackend(1, (backend) => {
      const four = view("f32", [4], new Float32Array(4));
      const short = view("f32", [4], new Float32Array(3));
      const bytes = view("u8", [4], new Uint8Array(4));
      expect(() => backend.kernels.add(four, four, short)).toThrow(ShapeError);
      expect(() => backend.kernels.add(four, four, bytes)).toThrow(UnsupportedError);
      expect(() => backend.kernels.add(four, four, bytes)).toThrow("add b: expected f32, got u8");
      const three = view("f32", [3], new Float32Array(3));
      expect(() => backend.kernels.rmsNorm(four, four, three, 1)).toThrow(
        "rmsNorm weight: expected 4 elements, got shape [3]",
      );
      const flat = view("f64", [4], new Float64Array(4));
      expect(() =>
        backend.kernels.gram(flat, view("f32", [2, 2], new Float32Array(4)), "f32"),
      ).toThrow("gram gram: expected shape [2, 2], got shape [4]");
    }));

  test("elementwise ops and magnitudes of nothing are allowed", () =>
    withBackend(2, async (backend) => {
      const none = view("f32", [0, 3], new Float32Array(0));
      const row = view("f32", [3], new Float32Array(3).fill(1));
      backend.kernels.add(none, none, row);
      backend.kernels.multiply(none, none, none);
      backend.kernels.magnitudes(view("f64", [3], new Float64Array(3)), row, none);
      expect(await backend.read(row.storage, "f32", 3)).toEqual(Float32Array.of(1, 1, 1));
    }));

  test("bindings declare as many buffers, sizes and reals as their ops take", () => {
    const result = loadAddon();
    if (!("addon" in result)) throw new Error(result.reason);
    const ops = new Map(result.addon.ops.map((op) => [op.name, op]));
    for (const { op, declaration } of bindings) {
      const { buffers, sizes, reals = [] } = declaration;
      const declared = { buffers: buffers.length, sizes: sizes.length, reals: reals.length };
      expect(ops.get(op), op).toMatchObject(declared);
    }
  });

  test("runs in order: a read sees its tensor as it was, though the buffer is used again at once", () =>
    withBackend(2, async (backend) => {
      const ones = view("f32", [50_000], new Float32Array(50_000).fill(1));
      const out = view("f32", [50_000], new Float32Array(50_000));
      const results: Promise<TypedArray>[] = [];
      for (let i = 0; i < 40; i++) {
        backend.kernels.add(out, out, ones);
        results.push(backend.read(out.storage, "f32", 50_000));
      }
      const arrays = await Promise.all(results);
      arrays.forEach((array, i) => expect(array.every((x) => x === i + 1)).toBe(true));
    }));

  test("takes more calls than its ring holds", () =>
    withBackend(2, async (backend) => {
      const one = view("f32", [1], Float32Array.of(1));
      const out = view("f32", [1], new Float32Array(1));
      for (let i = 0; i < 3000; i++) backend.kernels.add(out, out, one);
      expect(await backend.read(out.storage, "f32", 1)).toEqual(Float32Array.of(3000));
    }));

  test("arrays that only pending calls use stay alive", () =>
    withBackend(2, async (backend) => {
      const out = view("f32", [1000], new Float32Array(1000));
      for (let i = 0; i < 400; i++) {
        backend.kernels.add(out, out, view("f32", [1000], new Float32Array(1000).fill(1)));
        new Float32Array(20_000).fill(Number.NaN);
      }
      expect((await backend.read(out.storage, "f32", 1000)).every((x) => x === 400)).toBe(true);
    }));

  test("the thread stays free while a kernel runs", async () => {
    const queue = openQueue();
    queue.run("fma_peak", [new Float64Array(1), new Float32Array(192), 60_000_000]);
    const order: string[] = [];
    setImmediate(() => order.push("turn"));
    await queue.synchronize();
    order.push("kernel");
    expect(order).toEqual(["turn", "kernel"]);
    queue.close();
  });

  test("a kernel's failure rejects the next wait, once, and the queue continues", async () => {
    const queue = openQueue();
    const [out, a] = [new Float32Array(4), new Float32Array(4).fill(2)];
    queue.run("add", [out, a, a, 5, 5]);
    await expect(queue.synchronize()).rejects.toThrow(BackendError);
    await expect(queue.synchronize()).resolves.toBeUndefined();
    queue.run("add", [out, a, a, 5, 5]);
    queue.run("add", [out, a, a, 4, 4]);
    await expect(queue.synchronize()).rejects.toThrow(/add: argument check failed/);
    expect(out).toEqual(Float32Array.of(4, 4, 4, 4));
    queue.close();
  });

  test("an unknown op, or other arguments than it takes, is an outdated addon", () => {
    const queue = openQueue();
    expect(() => queue.run("subtract", [])).toThrow(/no op "subtract"/);
    expect(() => queue.run("add", [null])).toThrow(/does not fit this version/);
    expect(() => queue.run("add", [{}, null, null, 1, 1])).toThrow(/typed array or null/);
    queue.close();
  });

  test("gram, inverseCholesky and quantizeColumns give the same bits with 1, 2 and 5 threads", async () => {
    const results = await Promise.all(
      [1, 2, 5].map((threads) => withBackend(threads, runGptqKernels)),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test("the sums of gram do not depend on how the rows are cut at multiples of 256", () =>
    withBackend(2, async (backend) => {
      const [rows, n] = [1024, 40];
      const x = noise(rows * n);
      const whole = view("f64", [n, n], new Float64Array(n * n));
      const parts = view("f64", [n, n], new Float64Array(n * n));
      backend.kernels.gram(whole, view("f32", [rows, n], x), "f32");
      for (const [from, to] of [
        [0, 256],
        [256, 768],
        [768, 1024],
      ] as const) {
        backend.kernels.gram(
          parts,
          view("f32", [to - from, n], x.subarray(from * n, to * n)),
          "f32",
        );
      }
      const sums = await backend.read(whole.storage, "f64", n * n);
      expect(await backend.read(parts.storage, "f64", n * n)).toEqual(sums);
    }));
});

/** The linear algebra of GPTQ on 150 inputs and 70 outputs; returns codes, weights and factor. */
async function runGptqKernels(backend: NativeBackend): Promise<TypedArray[]> {
  const [n, rows, tokens] = [150, 70, 400];
  const h = view("f64", [n, n], new Float64Array(n * n));
  const u = view("f32", [n, n], new Float32Array(n * n));
  const status = view("i32", [1], new Int32Array(1));
  backend.kernels.gram(h, view("f32", [tokens, n], noise(tokens * n)), "f32");
  const sums = await backend.read(h.storage, "f64", n * n);
  const diagonal = Float64Array.from({ length: n }, (_, i) => Number(sums[i * n + i]) * 1.1);
  backend.kernels.inverseCholesky(u, h, view("f64", [n], diagonal), status, null);
  const weight = view("f32", [rows, n], noise(rows * n));
  const codes = view("u8", [rows, n], new Uint8Array(rows * n));
  backend.kernels.quantizeColumns(codes, weight, {
    start: 0,
    end: n,
    factor: u,
    scales: view("f32", [rows, 1], new Float32Array(rows).fill(0.25)),
    zeros: view("f32", [rows, 1], new Float32Array(rows).fill(4)),
    offsets: null,
    groupOf: view("i32", [n], new Int32Array(n)),
    grid: { levels: 8, origin: 0, step: 1 },
  });
  const results = [codes, weight, u, status].map(({ dtype, shape, storage }) =>
    backend.read(
      storage,
      dtype,
      shape.reduce((product, size) => product * size, 1),
    ),
  );
  return Promise.all(results);
}
