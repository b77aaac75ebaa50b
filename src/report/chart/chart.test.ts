import { describe, expect, test } from "vitest";
import { breakText, shortenText, textWidth } from "./text-width.ts";
import { linearScale, logScale, roundTicks } from "./scale.ts";
import { element, escapeMarkup } from "./svg.ts";

describe("ticks", () => {
  test.each([
    [0, 10, 5, [0, 2, 4, 6, 8, 10]],
    [0.13, 0.71, 7, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]],
    [-3, 3, 3, [-2, 0, 2]],
    [990, 1010, 4, [990, 995, 1000, 1005, 1010]],
  ])("of %d to %d are round and inside", (low, high, most, ticks) => {
    expect(roundTicks(low, high, most)).toEqual(ticks);
  });

  test("an empty range has none", () => {
    expect(roundTicks(1, 1, 5)).toEqual([]);
    expect(roundTicks(0, Number.POSITIVE_INFINITY, 5)).toEqual([]);
  });
});

describe("scales", () => {
  test("hold all values between their ends, in order", () => {
    for (const make of [linearScale, logScale]) {
      const { position, ticks } = make([3, 40, 7], [0, 100]);
      const places = [3, 7, 40].map(position);
      expect(places).toEqual([...places].sort((a, b) => a - b));
      expect(places[0]).toBeGreaterThan(0);
      expect(places[2]).toBeLessThan(100);
      expect(ticks.length).toBeGreaterThan(2);
      for (const tick of ticks) {
        expect(position(tick)).toBeGreaterThanOrEqual(0);
        expect(position(tick)).toBeLessThanOrEqual(100);
      }
    }
  });

  test("a logarithmic scale puts equal factors at equal distances", () => {
    const { position } = logScale([1, 1000], [0, 500]);
    expect(position(100) - position(10)).toBeCloseTo(position(10) - position(1), 9);
  });

  test("may have their low end at the larger position, as the y axis of a drawing", () => {
    const { position } = linearScale([0, 1], [300, 20]);
    expect(position(1)).toBeLessThan(position(0));
  });

  test("one value, equal values and none make a scale too, which has them in the middle", () => {
    for (const values of [[], [5], [2, 2], [0]]) {
      for (const make of [linearScale, logScale]) {
        const { position } = make(values, [0, 100]);
        expect(position(1)).not.toBeNaN();
        if (values[0]) expect(Math.abs(position(values[0]) - 50)).toBeLessThan(3);
      }
    }
  });

  test("many powers of ten have few ticks", () => {
    const { ticks } = logScale([1e-200, 1e200], [0, 100]);
    expect(ticks.length).toBeGreaterThan(4);
    expect(ticks.length).toBeLessThan(12);
  });
});

describe("texts", () => {
  test.each([
    ["a-model-with-a-name-7B w2g64", 110],
    ["no_place_to_break_this_name", 70],
    ["模型千問の名前は長い", 60],
    ["\u05e0\u05de\u05d5\u05da \u05de\u05d0\u05d5\u05d3 \u05de\u05d0\u05d5\u05d3", 50],
  ])("%s is broken into lines within its width, and nothing is lost", (text, width) => {
    const lines = breakText(text, width, 12, 9);
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(textWidth(line, 12)).toBeLessThanOrEqual(width);
    expect(lines.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
  });

  test("a text that is too long loses its middle, since names differ at their ends", () => {
    const short = shortenText("some-organisation/some-model-7B-instruct gptq w2g64", 160, 12);
    expect(short).toMatch(/^some-.*….* w2g64$/);
    expect(textWidth(short, 12)).toBeLessThanOrEqual(160);
    const lines = breakText("word ".repeat(60), 100, 12, 3);
    expect(lines).toHaveLength(3);
    expect(lines.join(" ")).toContain("…");
  });

  test("emoji that belong together stay together", () => {
    const family = "👩‍👩‍👧‍👦";
    expect(breakText(family.repeat(4), 70, 12, 9).every((line) => line.endsWith("👦"))).toBe(true);
  });
});

test("elements escape attributes and leave out those that are undefined", () => {
  expect(element("g", { class: 'a"b', x: 1.23456, y: undefined }, [escapeMarkup("<&>")])).toBe(
    '<g class="a&quot;b" x="1.23">&lt;&amp;&gt;</g>',
  );
});
