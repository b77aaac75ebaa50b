import type { Prng } from "../../src/util/prng.ts";

/** Changed bytes, and what was changed. */
export interface ChangedBytes {
  readonly result: Uint8Array;
  readonly what: string;
}

/** Lengths and counts that a field of a file may claim. */
const claims: readonly bigint[] = [
  0n,
  1n,
  7n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  100_000_000n,
  100_000_001n,
  0x1fffffffffffffn,
  0x7fffffffffffffffn,
  0xffffffffffffffffn,
];

/** Changes bytes at one place. */
export function changeBytes(bytes: Uint8Array, prng: Prng): ChangedBytes {
  // Files begin with what describes them.
  const reach = prng.below(2) === 0 ? Math.min(bytes.length, 64) : bytes.length;
  const at = prng.below(reach + 1);
  const length = 1 + prng.below([1, 8, 64, 1024][prng.below(4)]);
  const copy = Uint8Array.from(bytes);
  switch (prng.below(8)) {
    case 0:
      return { result: copy.slice(0, at), what: `cut off at byte ${at}` };
    case 1:
      return {
        result: join(copy.subarray(0, at), copy.subarray(at + length)),
        what: `${length} bytes left out at ${at}`,
      };
    case 2: {
      const from = prng.below(bytes.length + 1);
      const span = copy.subarray(from, from + length);
      const result = join(copy.subarray(0, at), span, copy.subarray(at));
      return { result, what: `${length} bytes from ${from} put in at ${at}` };
    }
    case 3:
      copy.fill(prng.below(2) * 255, at, at + length);
      return { result: copy, what: `${length} bytes the same at ${at}` };
    case 4: {
      const claim = claims[prng.below(claims.length)];
      const width = [1, 2, 4, 8][prng.below(4)];
      const isLittle = prng.below(2) === 0;
      for (let i = 0; i < width && at + i < copy.length; i++) {
        const shift = BigInt(8 * (isLittle ? i : width - 1 - i));
        copy[at + i] = Number((claim >> shift) & 0xffn);
      }
      return { result: copy, what: `${claim} in ${width} bytes at ${at}` };
    }
    case 5: {
      const more = Uint8Array.from({ length }, () => prng.below(256));
      return { result: join(copy, more), what: `${length} bytes at the end` };
    }
    default: {
      if (at < copy.length) copy[at] = copy[at] ^ (1 << prng.below(8));
      return { result: copy, what: `a bit of byte ${at}` };
    }
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
