import { suggestName } from "../util/nearest.ts";
import { blockFormats } from "./blocks/index.ts";
import { grids } from "./grids/index.ts";

/** The smallest and the largest group of weights that may share a scale. */
export const groupSizes = [8, 2 ** 20] as const;

/** How the names of types of ggml begin: `Q4_K`, `IQ4_XS`, `TQ2_0`. */
const typeName = /^[it]?q\d/i;

/** What other programs write for bits and group size: `int4`, `w4a16g128`, `4bit-128g`. */
const firstNumber = /\d+(?:\.\d+)?/;
const groupNumber = /g(\d+)/i;
const numberOfGroup = /(\d+)g/i;

/** Says which schemes there are, after the one nearest to what was written where there is one. */
export function suggestScheme(written: string): string {
  const bits = [...new Set(grids.map((grid) => grid.bits))].sort((a, b) => a - b);
  const all = `schemes are w<bits>[g<group size>][-<grid>] with ${list(bits)} bits`;
  if (typeName.test(written)) {
    const types = blockFormats.map(({ id }) => id);
    const listed = `types of blocks are ${types.join(", ")}`;
    return `${suggestName(written, types, "")} ${listed}`.trim();
  }
  const number = firstNumber.exec(written);
  if (!number) return `${all}, such as w4g128, w2g64, w3-sym, w1.58 or w1`;
  const asked = Number(number[0]);
  const nearest = bits.reduce((a, b) => (Math.abs(b - asked) < Math.abs(a - asked) ? b : a));
  const group = groupNumber.exec(written) ?? numberOfGroup.exec(written);
  const isSymmetric = /sym/i.test(written) && !/asym/i.test(written);
  const hasSymmetric = grids.some((grid) => grid.bits === nearest && grid.id === "sym");
  const grid = isSymmetric && hasSymmetric ? "-sym" : "";
  return `did you mean w${nearest}${group ? groupNear(group[1]) : ""}${grid}? ${all}`;
}

function groupNear(digits: string): string {
  const [smallest, largest] = groupSizes;
  return `g${Math.min(largest, Math.max(smallest, Number(digits)))}`;
}

function list(numbers: readonly number[]): string {
  return `${numbers.slice(0, -1).join(", ")} or ${numbers.at(-1)}`;
}
