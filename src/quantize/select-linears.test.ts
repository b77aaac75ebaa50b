import { describe, expect, test } from "vitest";
import type { LinearDescription } from "../nn/quantizable-model.ts";
import { UsageError } from "../util/errors.ts";
import { selectLinears } from "./select-linears.ts";

const linears = [0, 1].flatMap((block) =>
  ["self_attn.k_proj", "mlp.down_proj"].map(
    (slot): LinearDescription => ({
      module: `model.layers.${block}.${slot}`,
      block,
      slot,
      outFeatures: 8,
      inFeatures: 8,
    }),
  ),
);

const gates = [0, 1].map((block) => `model.layers.${block}.mlp.gate`);

const select = (pattern: string): (string | null)[] =>
  selectLinears(
    linears,
    { scheme: "w4", ignore: [], layers: [{ pattern, scheme: "w8" }] },
    { gates },
  ).map(({ scheme }) => scheme?.id ?? null);

const select4 = (ignore: readonly string[]): (string | null)[] =>
  selectLinears(linears, { scheme: "w4", ignore: [...ignore], layers: [] }, { gates }).map(
    ({ scheme }) => scheme?.id ?? null,
  );

describe("layers that choose experts", () => {
  test.each(["mlp.gate", "re:gate$", "*.gate", "layers.1.mlp.gate"])(
    "a scheme for %s is refused by the name of the layer",
    (pattern) => {
      expect(() => select(pattern)).toThrow(UsageError);
      expect(() => select(pattern)).toThrow(
        /fits model\.layers\.[01]\.mlp\.gate, which is never quantized/,
      );
    },
  );

  test("may be ignored, as they are in any case", () => {
    expect(select4(["mlp.gate", "*.k_proj"])).toEqual([null, "w4", null, "w4"]);
  });

  test("go unheard in patterns that fit other layers too", () => {
    expect(select("layers.0.*")).toEqual(["w8", "w8", "w4", "w4"]);
  });
});

describe("patterns of layers", () => {
  test.each([
    ["mlp.down_proj", ["w4", "w8", "w4", "w8"]],
    ["layers.0.*", ["w8", "w8", "w4", "w4"]],
    ["*.k_proj", ["w8", "w4", "w8", "w4"]],
    ["re:[kq]_proj$", ["w8", "w4", "w8", "w4"]],
  ])("%s", (pattern, schemes) => {
    expect(select(pattern)).toEqual(schemes);
  });

  test.each([
    ["that fits nothing", "down", /fits no linear layer/],
    ["that is no regular expression", "re:(", /not a regular expression/],
    ["longer than any name", "x".repeat(100_000), /at most 1000 characters, got 100000/],
    ["that backtracks for ever", "re:^([a-z.0-9_]+)+!$", /takes more than 5 s/],
  ])("one %s is a UsageError that names its field", (_, pattern, message) => {
    expect(() => select(pattern)).toThrow(
      expect.objectContaining({
        constructor: UsageError,
        message: expect.stringMatching(message),
        field: "layers[0]",
      }),
    );
  });
});
