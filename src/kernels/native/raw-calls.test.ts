import { describe, expect, it } from "vitest";
import { loadAddon, nativeAvailability } from "./addon.ts";

const { available } = nativeAvailability();

describe.skipIf(!available)("raw calls of the addon with nonsense sizes are refused", () => {
  const result = loadAddon();
  if (!("addon" in result)) return;
  const { addon } = result;
  const level = addon.levels[0].name;
  const open = () => addon.openQueue(level, 1, new Int32Array(1));

  it.each([Number.NaN, -1, 1e300, 2 ** 63, 2 ** 64, Number.POSITIVE_INFINITY])(
    "%d bytes of memory",
    (bytes) => {
      expect(() => addon.allocate(bytes)).toThrow(/allocate takes|out of memory/);
    },
  );

  it.each([0, -1, 1025, 2 ** 31 - 1, Number.NaN])("%d threads", (threads) => {
    expect(() => addon.openQueue(level, threads, new Int32Array(1))).toThrow("openQueue takes");
  });

  const half = 2 ** 16;
  it.each<[string, readonly number[]]>([
    // 65536⁴ · 4 is 0 in 64 bits, which an empty buffer has.
    ["attention", [half, half, half, half, half, half, half, 0, 0]],
    ["paged_attention", [half, half, half, half, half, half, half, 32, 0, 0]],
    ["paged_attention", [1, 1, 1, 1, 1, 2 ** 50, 1, 1, 0, 0]],
    ["rope", [half, half, half, half, 0]],
    ["write_rows", [half, half, half, half, 0, 4, 4]],
    ["quantize_rows", [half, half, half, half, half, 0, 4]],
    ["softmax", [2 ** 31, 2 ** 31]],
    ["softmax", [2 ** 31, 2 ** 32]],
    ["embedding", [2 ** 62 % 2 ** 53, 2, 2, 0]],
    ["add", [-4, -4]],
    ["matmul", [-1, -1, 4, 0, 0, 0, 0, 0, 0]],
    ["packed_matmul", [2 ** 40, 2 ** 40, 2 ** 40, 32, 4, 0, 0, 0]],
  ])("%s of %j", async (name, sizes) => {
    const queue = open();
    const id = addon.ops.findIndex((each) => each.name === name);
    const { buffers, reals } = addon.ops[id];
    for (const length of [0, 4]) {
      const values = [
        ...Array.from({ length: buffers }, () => new Float32Array(length)),
        ...sizes,
        ...Array.from({ length: reals }, () => 1),
      ];
      let refusal: unknown;
      try {
        addon.enqueue(queue, id, ...values);
        refusal = await addon.synchronize(queue);
      } catch (error) {
        refusal = (error as Error).message;
      }
      // Of empty buffers nothing is read or written, whatever the sizes say.
      if (length > 0) expect(refusal).toMatch(/a size is negative|check failed/);
    }
    addon.closeQueue(queue);
  });
});
