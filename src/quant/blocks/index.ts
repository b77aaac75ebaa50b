import type { BlockFormat, BlockFormatId } from "./block-format.ts";
import { q1_0 } from "./q1-0.ts";
import { q2_0 } from "./q2-0.ts";
import { q2_k } from "./q2-k.ts";
import { q3_k } from "./q3-k.ts";
import { q4_0 } from "./q4-0.ts";
import { q4_1 } from "./q4-1.ts";
import { q4_k } from "./q4-k.ts";
import { q5_0 } from "./q5-0.ts";
import { q5_1 } from "./q5-1.ts";
import { q5_k } from "./q5-k.ts";
import { q6_k } from "./q6-k.ts";
import { q8_0 } from "./q8-0.ts";
import { tq1_0 } from "./tq1-0.ts";
import { tq2_0 } from "./tq2-0.ts";

const byId: Readonly<Record<BlockFormatId, BlockFormat>> = {
  q1_0,
  tq1_0,
  tq2_0,
  q2_0,
  q2_k,
  q3_k,
  q4_0,
  q4_1,
  q4_k,
  q5_0,
  q5_1,
  q5_k,
  q6_k,
  q8_0,
};

/** All block formats, from few bits to many; users see them in this order. */
export const blockFormats: readonly BlockFormat[] = Object.values(byId);

/** Returns the block format of an id in lower case; undefined when there is none. */
export function findBlockFormat(id: string): BlockFormat | undefined {
  return Object.hasOwn(byId, id) ? byId[id as BlockFormatId] : undefined;
}
