import { describe, expect, test } from "vitest";
import { drawLossChart } from "./loss-chart.ts";
import { roundTicks } from "./ticks.ts";

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

describe("the chart of a training", () => {
  const losses = Array.from({ length: 50 }, (_, i) => ({ step: 2 * i + 2, loss: 6 / (i + 1) + 1 }));
  const validations = [0, 50, 100].map((step) => ({ step, loss: 7 - step / 20 }));

  test("has both curves, in the frame, and their names", () => {
    const svg = drawLossChart({ title: "a <b> & c", losses, validations });
    expect(svg).toContain("a &lt;b&gt; &amp; c");
    expect(svg.match(/<polyline/g)).toHaveLength(3);
    expect(svg.match(/<circle/g)).toHaveLength(3);
    expect(svg).toContain("prefers-color-scheme: dark");
    for (const [, x, y] of svg.matchAll(/([\d.-]+),([\d.-]+)(?=[ "])/g)) {
      expect(Number(x)).toBeGreaterThanOrEqual(64);
      expect(Number(x)).toBeLessThanOrEqual(700);
      expect(Number(y)).toBeGreaterThanOrEqual(44);
      expect(Number(y)).toBeLessThanOrEqual(348);
    }
  });

  test("one step, no validation and losses that are not finite do not break it", () => {
    for (const curve of [[], [{ step: 1, loss: 3 }], [{ step: 1, loss: Number.NaN }]]) {
      const svg = drawLossChart({ title: "t", losses: curve, validations: [] });
      expect(svg).not.toMatch(/NaN|Infinity/);
      expect(svg).toContain("</svg>");
    }
  });
});
