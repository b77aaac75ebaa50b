/**
 * Decodes `count` blocks from `bytes[at]` on into `out` from `to` on. Values are those of ggml's
 * `to_float`, bit for bit.
 */
export type DecodeBlocks = (
  bytes: Uint8Array,
  at: number,
  count: number,
  out: Float32Array,
  to: number,
) => void;

/** Decoders of the types whose codes are indices of tables, by the names of the types. */
const decoders: ReadonlyMap<string, DecodeBlocks> = new Map();

/** Returns the decoder of a table type (`iq4_nl`, `mxfp4`, ...); null when there is none. */
export function decodeTable(type: string): DecodeBlocks | null {
  return decoders.get(type) ?? null;
}
