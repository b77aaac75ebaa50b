import type { BlockFormat } from "./block-format.ts";
import { q4_0 } from "./q4-0.ts";
import { q4_1 } from "./q4-1.ts";
import { q4_k } from "./q4-k.ts";
import { q8_0 } from "./q8-0.ts";

/** All block formats, one line each; their order is that in which they are listed to users. */
export const blockFormats: readonly BlockFormat[] = [q4_0, q4_1, q8_0, q4_k];

const byId: ReadonlyMap<string, BlockFormat> = new Map(
  blockFormats.map((format) => [format.id, format]),
);

/** Returns the block format of an id in lower case; undefined when there is none. */
export function findBlockFormat(id: string): BlockFormat | undefined {
  return byId.get(id);
}
