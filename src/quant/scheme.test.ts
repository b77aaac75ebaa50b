import { describe, expect, test } from "vitest";
import { SchemeError } from "../util/errors.ts";
import { groupsPerRow, hasBinaryRows, parseScheme } from "./scheme.ts";

function complaintAbout(id: string): SchemeError {
  try {
    parseScheme(id);
  } catch (error) {
    if (error instanceof SchemeError) return error;
  }
  throw new Error(`${id} is a scheme`);
}

describe("scheme ids", () => {
  test.each([
    ["w4g128", "w4g128", 16, 128],
    ["w2g64", "w2g64", 4, 64],
    ["w3-asym", "w3", 8, null],
    ["w4g64-asym", "w4g64", 16, 64],
    ["w3g128-sym", "w3g128-sym", 8, 128],
    ["w2-int", "w2", 4, null],
    ["w1.58", "w1.58", 3, null],
    ["w1.58g32-ternary", "w1.58g32", 3, 32],
    ["w1", "w1", 2, null],
    ["w8-sym", "w8-sym", 256, null],
    ["w2-seq", "w2-seq", 4, null],
    ["w1.58g64-seq", "w1.58g64-seq", 3, 64],
    ["w1-elastic", "w1-elastic", 2, null],
    ["w4g64-nf4", "w4g64-nf4", 16, 64],
    ["w3-codebook", "w3-codebook", 8, null],
    ["w3-codebook-s0.45", "w3-codebook-s0.45", 8, null],
    ["w4-codebook-s1.00", "w4-codebook-s1", 16, null],
  ])("%s is %s with %i levels and groups of %s", (text, id, levels, groupSize) => {
    const scheme = parseScheme(text);
    expect(scheme.id).toBe(id);
    expect(scheme.grid.levels).toBe(levels);
    expect(scheme.groupSize).toBe(groupSize);
  });

  test.each([
    ["", /not a scheme id/],
    ["4g64", /not a scheme id/],
    ["w4g", /not a scheme id/],
    ["w5", /5 bits is not offered/],
    ["w4g0", /group of 0/],
    ["w4-nf", /no 4-bit grid "nf"/],
    ["w1-sym", /no 1-bit grid "sym"/],
    ["w4-sym-seq", /no 4-bit grid/],
    ["w8a5", /activations of 5 bits/],
    ["w4a4-static", /fixed ranges have 8 bits, not 4/],
    ["w1a1-static", /fixed ranges have 8 bits, not 1/],
    ["w1a8-sign", /signs have 1 bit, not 8/],
    ["w1a2", /activations of 2 bits are not offered/],
    ["w4g64a8-integer", /a scale a row/],
    ["w3g64-codebook", /a codebook belongs to a row/],
    ["w3g64-s0.45", /only weights with a codebook/],
    ["w3-codebook-s0", /outside 0.01 to 10 %/],
    ["w3-codebook-s10.5", /outside 0.01 to 10 %/],
    ["w3-s", /no 3-bit grid "s"/],
    ["w8-codebook", /no 8-bit grid "codebook"/],
    ["w4-nf48", /not a scheme id/],
    ["w8a8-integer", /a scale a row/],
    ["w8a8-fast", /not a scheme id/],
    ["w4g99999999999999999999", /group of/],
  ])("%s is refused and the reason is named", (text, message) => {
    expect(() => parseScheme(text)).toThrow(SchemeError);
    expect(() => parseScheme(text)).toThrow(message);
  });

  test.each([
    ["w5", "w4"],
    ["w5g64", "w4g64"],
    ["w16-sym", "w8-sym"],
    ["w0", "w1"],
    ["w1.5g32", "w1.58g32"],
    ["int4", "w4"],
    ["4bit-128g", "w4g128"],
    ["W4A16G128", "w4g128"],
    ["w4g4", "w4g8"],
    ["w2g9999999", "w2g1048576"],
    ["w2-sqe", "seq"],
  ])("%s: the nearest scheme there is is named: %s", (text, nearest) => {
    const { hint } = complaintAbout(text);
    expect(hint).toMatch(new RegExp(`^did you mean ${nearest}\\?`));
    expect(hint).toMatch(/with 1, 1\.58, 2, 3, 4 or 8 bits|grids: int, /);
  });

  test.each([
    ["q4_k_x", "q4_k"],
    ["Q4K", "q4_k"],
  ])("%s: the nearest type of blocks is named: %s", (text, nearest) => {
    const { hint } = complaintAbout(text);
    expect(hint).toMatch(new RegExp(`^did you mean ${nearest}\\? types of blocks are q1_0, `));
  });

  test("what is like no scheme names none, but says which there are", () => {
    for (const text of ["", "four", "gptq"]) {
      expect(complaintAbout(text).hint).toMatch(/^schemes are w<bits>.*such as w4g128/);
    }
  });

  test.each([
    ["w8a8", "int", "token"],
    ["w2g32-seqa8", "seq", "token"],
    ["w4g64a8", "int", "token"],
    ["w4g64-syma8-static", "sym", "static"],
    ["w8-narrowa8-integer", "narrow", "integer"],
    ["w8-syma8-integer", "sym", "integer"],
    ["w4a4", "int", "token", 4],
    ["w8g64-syma6", "sym", "token", 6],
    ["w4g64-nf4a8", "nf4", "token"],
    ["w4-codebooka8-static", "codebook", "static"],
    ["w4-codebook-s0.45a8", "codebook", "token"],
    ["w1a1", "binary", "token", 1],
    ["w4g64a1-sign", "int", "sign", 1],
  ])("%s: grid %s, activations %s", (id, grid, mode, bits = 8) => {
    const scheme = parseScheme(id);
    expect(scheme.id).toBe(id);
    expect(scheme.grid.id).toBe(grid);
    expect(scheme.activation).toEqual({ bits, mode });
  });

  test("a width that the group does not divide has a shorter last group", () => {
    expect(groupsPerRow(parseScheme("w2g64"), 172)).toBe(3);
    expect(groupsPerRow(parseScheme("w2"), 172)).toBe(1);
  });
});

test("signs with signs are counted where rows have one scale", () => {
  const counted = ["w1a1", "w1a1-sign", "w1-elastica1"];
  const others = ["w1", "w1a8", "w1g64a1", "w1.58a1", "w2-syma1"];
  const binary = [...counted, ...others].filter((id) => hasBinaryRows(parseScheme(id)));
  expect(binary).toEqual(counted);
});
