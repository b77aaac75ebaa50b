import { decodeIq1M } from "./iq1-m.ts";
import { decodeIq1S } from "./iq1-s.ts";
import { decodeIq2S } from "./iq2-s.ts";
import { decodeIq2Xs } from "./iq2-xs.ts";
import { decodeIq2Xxs } from "./iq2-xxs.ts";
import { decodeIq3S } from "./iq3-s.ts";
import { decodeIq3Xxs } from "./iq3-xxs.ts";
import { decodeIq4Nl } from "./iq4-nl.ts";
import { decodeIq4Xs } from "./iq4-xs.ts";
import { decodeMxfp4 } from "./mxfp4.ts";
import { decodeNvfp4 } from "./nvfp4.ts";

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

/** Decodes the block at `bytes[at]` into `out` from `to` on. */
type DecodeBlock = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

/** Decoders of the types whose codes are indices of tables, by the names of the types. */
const decoders: ReadonlyMap<string, DecodeBlocks> = new Map([
  ["iq1_s", eachBlock(50, 256, decodeIq1S)],
  ["iq1_m", eachBlock(56, 256, decodeIq1M)],
  ["iq2_xxs", eachBlock(66, 256, decodeIq2Xxs)],
  ["iq2_xs", eachBlock(74, 256, decodeIq2Xs)],
  ["iq2_s", eachBlock(82, 256, decodeIq2S)],
  ["iq3_xxs", eachBlock(98, 256, decodeIq3Xxs)],
  ["iq3_s", eachBlock(110, 256, decodeIq3S)],
  ["iq4_nl", eachBlock(18, 32, decodeIq4Nl)],
  ["iq4_xs", eachBlock(136, 256, decodeIq4Xs)],
  ["mxfp4", eachBlock(17, 32, decodeMxfp4)],
  ["nvfp4", eachBlock(36, 64, decodeNvfp4)],
]);

/** Returns the decoder of a table type (`iq4_nl`, `mxfp4`, ...); null when there is none. */
export function decodeTable(type: string): DecodeBlocks | null {
  return decoders.get(type) ?? null;
}

function eachBlock(blockBytes: number, columns: number, decode: DecodeBlock): DecodeBlocks {
  return (bytes, at, count, out, to) => {
    for (let i = 0; i < count; i++) decode(bytes, at + i * blockBytes, out, to + i * columns);
  };
}
