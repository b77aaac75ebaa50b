import { describe, expect, test } from "vitest";
import { placeLabels } from "./place-labels.ts";
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

  test("one value, equal values and none make a scale too", () => {
    for (const values of [[], [5], [2, 2], [0]]) {
      for (const make of [linearScale, logScale]) {
        expect(make(values, [0, 100]).position(1)).not.toBeNaN();
      }
    }
  });
});

describe("labels", () => {
  const style = { fontSize: 11, side: "right", reach: 76 } as const;
  const frame = { left: 0, right: 600, top: 0, bottom: 400 };
  const boxOf = (
    { x, y, anchor }: { x: number; y: number; anchor: string },
    label: string,
  ): number[] => {
    const width = 6.1 * label.length;
    const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
    return [left, left + width, y - 10, y + 3];
  };

  test("of crowded points do not cover each other and stay inside", () => {
    const points = Array.from({ length: 8 }, (_, i) => ({
      x: 560 - 9 * i,
      y: 200 + 5 * (i % 3),
      label: `variant ${i}`,
    }));
    const boxes = placeLabels(points, [], frame, style).map((place, i) =>
      boxOf(place ?? expect.fail("no place"), points[i]?.label ?? ""),
    );
    for (const [index, [left = 0, right = 0, top = 0, bottom = 0]] of boxes.entries()) {
      expect(left).toBeGreaterThanOrEqual(frame.left);
      expect(right).toBeLessThanOrEqual(frame.right);
      for (const [l = 0, r = 0, t = 0, b = 0] of boxes.slice(index + 1)) {
        expect(
          Math.min(right, r) > Math.max(left, l) && Math.min(bottom, b) > Math.max(top, t),
        ).toBe(false);
      }
    }
  });

  test("of a point alone stands at its right", () => {
    expect(placeLabels([{ x: 50, y: 50, label: "one" }], [], frame, style)[0]?.anchor).toBe(
      "start",
    );
  });
});

test("elements escape attributes and leave out those that are undefined", () => {
  expect(element("g", { class: 'a"b', x: 1.23456, y: undefined }, [escapeMarkup("<&>")])).toBe(
    '<g class="a&quot;b" x="1.23">&lt;&amp;&gt;</g>',
  );
});
