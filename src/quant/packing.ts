import type { PackedLayout } from "../backend/packed-operand.ts";
import { SchemeError } from "../util/errors.ts";

/**
 * How a run of codes becomes bytes. Knows nothing of values. A run is packed unit by unit; the last
 * unit is filled with code 0.
 */
export interface Packing extends PackedLayout {
  readonly packing: PackingId;
  /** Packs `count` codes from `codes[from]` on into `out[at]` on. */
  pack(codes: Uint8Array, from: number, count: number, out: Uint8Array, at: number): void;
  /** Unpacks `count` codes from `bytes[at]` on into `out[to]` on. */
  unpack(bytes: Uint8Array, at: number, count: number, out: Uint8Array, to: number): void;
}

/** Ids of the packings. */
export type PackingId = "bits1" | "trits5" | "bits2" | "bits3" | "bits4" | "bits8";

/** Returns the bytes of one packed row: whole units, padded to a multiple of 4. */
export function packedRowBytes(layout: PackedLayout, count: number): number {
  const bytes = Math.ceil(count / layout.codesPerUnit) * layout.bytesPerUnit;
  return Math.ceil(bytes / 4) * 4;
}

/** @throws SchemeError when a code is outside the layout's levels */
export function expectCodes(layout: PackedLayout, codes: Uint8Array): void {
  for (let i = 0; i < codes.length; i++) {
    if (codes[i] >= layout.levels) {
      throw new SchemeError(
        `packing ${layout.packing}: code ${codes[i]} at ${i} is not below ${layout.levels}`,
      );
    }
  }
}
