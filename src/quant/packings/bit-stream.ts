/*
 * Streams of codes of up to 8 bits: code j occupies bits `[bits·j, bits·j + bits)`, bit 0 being the
 * lowest bit of the first byte. The usual widths have loops of their own, which take whole bytes: a
 * loop over bits takes three to five times as long.
 */

/** Reads whole bytes of codes from byte `at` on; returns how many codes it has read. */
type ReadRun = (bytes: Uint8Array, at: number, into: Uint8Array) => number;

/** Writes whole bytes of codes from byte `at` on; returns how many codes it has written. */
type WriteRun = (codes: Uint8Array, into: Uint8Array, at: number) => number;

/** Reads codes from a stream behind byte `at`. */
export function readBitStream(bytes: Uint8Array, at: number, bits: number, into: Uint8Array): void {
  const done = runs[bits]?.read(bytes, at, into) ?? 0;
  const mask = (1 << bits) - 1;
  for (let i = done, bit = done * bits; i < into.length; i++, bit += bits) {
    const byte = at + (bit >>> 3);
    const pair = bytes[byte] | ((bit & 7) + bits > 8 ? bytes[byte + 1] << 8 : 0);
    into[i] = (pair >>> (bit & 7)) & mask;
  }
}

/** Writes a run of codes as a stream behind byte `at`. */
export function writeBitStream(
  codes: Uint8Array,
  bits: number,
  into: Uint8Array,
  at: number,
): void {
  const done = runs[bits]?.write(codes, into, at) ?? 0;
  if (done === codes.length) return;
  const mask = (1 << bits) - 1;
  into.fill(0, at + (done * bits) / 8, at + Math.ceil((codes.length * bits) / 8));
  for (let i = done, bit = done * bits; i < codes.length; i++, bit += bits) {
    const shifted = (codes[i] & mask) << (bit & 7);
    const byte = at + (bit >>> 3);
    into[byte] |= shifted & 0xff;
    if (shifted > 0xff) into[byte + 1] |= shifted >>> 8;
  }
}

const runs: Readonly<Record<number, { readonly read: ReadRun; readonly write: WriteRun }>> = {
  2: {
    read(bytes, at, into) {
      const count = into.length & ~3;
      for (let i = 0, from = at; i < count; i += 4) {
        const byte = bytes[from++];
        into[i] = byte & 3;
        into[i + 1] = (byte >>> 2) & 3;
        into[i + 2] = (byte >>> 4) & 3;
        into[i + 3] = byte >>> 6;
      }
      return count;
    },
    write(codes, into, at) {
      const count = codes.length & ~3;
      for (let i = 0, to = at; i < count; i += 4) {
        const low = (codes[i] & 3) | ((codes[i + 1] & 3) << 2);
        into[to++] = low | ((codes[i + 2] & 3) << 4) | (codes[i + 3] << 6);
      }
      return count;
    },
  },
  3: {
    read(bytes, at, into) {
      const count = into.length & ~7;
      for (let i = 0, from = at; i < count; i += 8, from += 3) {
        const word = bytes[from] | (bytes[from + 1] << 8) | (bytes[from + 2] << 16);
        into[i] = word & 7;
        into[i + 1] = (word >>> 3) & 7;
        into[i + 2] = (word >>> 6) & 7;
        into[i + 3] = (word >>> 9) & 7;
        into[i + 4] = (word >>> 12) & 7;
        into[i + 5] = (word >>> 15) & 7;
        into[i + 6] = (word >>> 18) & 7;
        into[i + 7] = word >>> 21;
      }
      return count;
    },
    write(codes, into, at) {
      const count = codes.length & ~7;
      for (let i = 0, to = at; i < count; i += 8, to += 3) {
        const a = (codes[i] & 7) | ((codes[i + 1] & 7) << 3) | ((codes[i + 2] & 7) << 6);
        const b = ((codes[i + 3] & 7) << 9) | ((codes[i + 4] & 7) << 12);
        const c = ((codes[i + 5] & 7) << 15) | ((codes[i + 6] & 7) << 18);
        const word = a | b | c | ((codes[i + 7] & 7) << 21);
        into[to] = word;
        into[to + 1] = word >>> 8;
        into[to + 2] = word >>> 16;
      }
      return count;
    },
  },
  4: {
    read(bytes, at, into) {
      const count = into.length & ~1;
      for (let i = 0, from = at; i < count; i += 2) {
        const byte = bytes[from++];
        into[i] = byte & 15;
        into[i + 1] = byte >>> 4;
      }
      return count;
    },
    write(codes, into, at) {
      const count = codes.length & ~1;
      for (let i = 0, to = at; i < count; i += 2) {
        into[to++] = (codes[i] & 15) | (codes[i + 1] << 4);
      }
      return count;
    },
  },
  8: {
    read(bytes, at, into) {
      into.set(bytes.subarray(at, at + into.length));
      return into.length;
    },
    write(codes, into, at) {
      into.set(codes, at);
      return codes.length;
    },
  },
};
