import { describe, expect, test } from "vitest";
import { FormatError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { parseHeader } from "./safetensors-header.ts";

const tensor = (dtype: string, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

describe("hostile headers are a FormatError", () => {
  const cases: [law: string, header: string, message: RegExp][] = [
    ["not JSON", "hello", /expected "\{"/],
    ["cut JSON", '{"a":{"dtype":"U8"', /found its end/],
    ["an array", "[]", /expected "\{"/],
    ["text after the object", "{}x", /expected the end/],
    ["deep nesting", `{"a":${"[".repeat(100_000)}`, /expected "\{"/],
    [
      "a duplicate name",
      `{"a":${tensor("U8", [1], [0, 1])},"a":${tensor("U8", [1], [1, 2])}}`,
      /"a" twice/,
    ],
    ["a negative offset", `{"a":${tensor("U8", [1], [-1, 0])}}`, /whole number/],
    ["a fractional offset", `{"a":${tensor("U8", [1], [0, 1.5])}}`, /whole number/],
    ["an exponent", '{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', /whole number/],
    [
      "an offset beyond 2^53",
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[9007199254740992,9007199254740993]}}',
      /whole number/,
    ],
    ["a reversed range", `{"a":${tensor("U8", [1], [1, 0])}}`, /takes 1 bytes/],
    ["three offsets", `{"a":${tensor("U8", [1], [0, 1, 2])}}`, /at most 2 numbers/],
    ["one offset", `{"a":${tensor("U8", [1], [0])}}`, /lacks one of/],
    [
      "an overlap",
      `{"a":${tensor("U8", [2], [0, 2])},"b":${tensor("U8", [2], [1, 3])}}`,
      /overlap/,
    ],
    ["a hole", `{"a":${tensor("U8", [1], [0, 1])},"b":${tensor("U8", [1], [2, 3])}}`, /hole/],
    ["a hole at the start", `{"a":${tensor("U8", [1], [1, 2])}}`, /hole/],
    [
      "a size that is not dtype × shape",
      `{"a":${tensor("F32", [3], [0, 11])}}`,
      /takes 12 bytes.*has 11/,
    ],
    [
      "an overflowing shape",
      `{"a":${tensor("F32", [2 ** 40, 2 ** 40], [0, 8])}}`,
      /no possible size/,
    ],
    [
      "an overflow that a zero would hide",
      `{"a":${tensor("F32", [2 ** 40, 2 ** 40, 0], [0, 0])}}`,
      /no possible size/,
    ],
    ["an unknown dtype", `{"a":${tensor("F13", [1], [0, 1])}}`, /unknown dtype "F13"/],
    ["a dtype from the prototype", `{"a":${tensor("constructor", [1], [0, 1])}}`, /unknown dtype/],
    [
      "a shape of too many dimensions",
      `{"a":${tensor(
        "U8",
        Array.from({ length: 33 }, () => 1),
        [0, 1],
      )}}`,
      /at most 32/,
    ],
    ["metadata that is not text", '{"__metadata__":{"a":1}}', /expected a string/],
    ["metadata twice", '{"__metadata__":{},"__metadata__":{}}', /twice/],
    [
      "an unknown field",
      '{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}}',
      /unexpected or repeated field "x"/,
    ],
    ["half a byte", `{"a":${tensor("F4", [3], [0, 2])}}`, /no possible size/],
  ];
  for (const [law, header, message] of cases) {
    test(law, () => {
      expect(() => parseHeader(header, "m.safetensors")).toThrow(FormatError);
      expect(() => parseHeader(header, "m.safetensors")).toThrow(message);
    });
  }

  test("names from the file cannot write to the terminal", () => {
    const header = `{"\\u001b[31m\\u009b2J":${tensor("U9", [1], [0, 1])}}`;
    expect(() => parseHeader(header, "m")).toThrow(/"\\u001b\[31m\\u009b2J"/);
  });

  test("any mutation of a valid header parses or is a FormatError", () => {
    const random = new Prng(2024);
    const valid = Buffer.from(
      `{"__metadata__":{"format":"pt"},"a":${tensor("F32", [2, 3], [0, 24])},` +
        `"b\\n":${tensor("U8", [], [24, 25])},"c":${tensor("BF16", [0, 7], [25, 25])}}  `,
    );
    const pieces = [
      '"',
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "-",
      "1e9",
      "99999999999999999",
      "\\u",
      "\\",
      "null",
    ];
    let parsed = 0;
    for (let round = 0; round < 20_000; round++) {
      let bytes = Buffer.from(valid);
      for (let edits = 1 + random.below(3); edits > 0; edits--) {
        const position = random.below(bytes.length);
        const kind = random.below(4);
        if (kind === 0) bytes[position] = random.below(256);
        else {
          const removed = kind === 1 ? random.below(20) : kind === 2 ? 0 : 1;
          const piece = kind === 1 ? "" : (pieces[random.below(pieces.length)] ?? "");
          const rest = bytes.subarray(position + removed);
          bytes = Buffer.concat([bytes.subarray(0, position), Buffer.from(piece), rest]);
        }
      }
      try {
        const { tensors, dataBytes } = parseHeader(bytes.toString("utf8"), "fuzz");
        let sum = 0;
        for (const info of tensors.values()) sum += info.end - info.begin;
        expect(sum).toBe(dataBytes);
        parsed++;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }
    expect(parsed).toBeGreaterThan(100);
    expect(parsed).toBeLessThan(15_000);
  });
});

test("a header of more names than there can be is refused, and not kept", () => {
  const most = 500_000;
  const tensors = Array.from(
    { length: most + 1 },
    (_, i) => `"t${i}":{"dtype":"U8","shape":[1],"data_offsets":[${i},${i + 1}]}`,
  );
  const said = "many.safetensors: the header names more than 500,000 tensors";
  // It takes a second: once for both its kind and its words.
  expect(() => parseHeader(`{${tensors.join(",")}}`, "many.safetensors")).toThrow(
    expect.toSatisfy((error) => error instanceof FormatError && error.message.includes(said)),
  );
  const entries = Array.from({ length: most + 1 }, (_, i) => `"k${i}":""`).join(",");
  expect(() => parseHeader(`{"__metadata__":{${entries}}}`, "x")).toThrow("entries of metadata");
});
