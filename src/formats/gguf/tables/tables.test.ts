import { describe, expect, test } from "vitest";
import golden from "../../../../test/golden/tables.json" with { type: "json" };
import { goldenBytes, withPlainNaN } from "../../../../test/golden/golden-bytes.ts";
import { sha256 } from "../../../platform/node.ts";
import { ggmlTypeNamed } from "../gguf-types.ts";
import { decodeTable } from "./index.ts";

describe.each(Object.entries(golden))(
  "table type %s",
  (name, { seed, blocks, first, sha256: hash }) => {
    const type = ggmlTypeNamed(name);
    const { bytes: blockBytes = 0, columns = 0 } = type ?? {};
    const decode = decodeTable(name);

    test("what it decodes arbitrary bytes to is bit for bit what ggml does", () => {
      const out = new Float32Array(blocks * columns);
      decode?.(goldenBytes(blocks * blockBytes, seed), 0, blocks, out, 0);
      expect(Array.from(out.filter(Number.isFinite).subarray(0, first.length))).toEqual(first);
      expect(sha256(withPlainNaN(out))).toBe(hash);
    });

    test("blocks are decoded from where they stand to where they are wanted, and no others", () => {
      const bytes = goldenBytes(blocks * blockBytes, seed);
      const all = new Float32Array(blocks * columns);
      decode?.(bytes, 0, blocks, all, 0);
      const some = new Float32Array(4 * columns);
      decode?.(bytes, 5 * blockBytes, 2, some, columns);
      expect(some.subarray(columns, 3 * columns)).toEqual(all.subarray(5 * columns, 7 * columns));
      expect(some.subarray(0, columns).every((value) => value === 0)).toBe(true);
      expect(some.subarray(3 * columns).every((value) => value === 0)).toBe(true);
    });
  },
);

test("types that are no tables have no decoder", () => {
  for (const name of ["q4_0", "f16", "iq5_k", "__proto__"]) expect(decodeTable(name)).toBeNull();
});
