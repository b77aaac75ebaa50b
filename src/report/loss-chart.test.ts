import { describe, expect, test } from "vitest";
import { drawLossChart } from "./loss-chart.ts";

describe("the chart of a training", () => {
  const losses = Array.from({ length: 50 }, (_, i) => ({ step: 2 * i + 2, loss: 6 / (i + 1) + 1 }));
  const validations = [0, 50, 100].map((step) => ({ step, loss: 7 - step / 20 }));

  test("has both curves, in the frame, and their names", () => {
    const svg = drawLossChart({ title: "a <b> & c", losses, validations });
    expect(svg).toContain("a &lt;b&gt; &amp; c");
    expect(svg).toContain("prefers-color-scheme: dark");
    const curves = [...svg.matchAll(/<polyline class="curve bits[^"]*" points="([^"]*)"/g)];
    const marks = [...svg.matchAll(/transform="translate\(([\d.-]+ [\d.-]+)\)"><title>step/g)];
    expect(curves).toHaveLength(3);
    expect(marks).toHaveLength(3);
    const places = [
      ...curves.flatMap(([, points = ""]) => points.split(" ").map((place) => place.split(","))),
      ...marks.map(([, place = ""]) => place.split(" ")),
    ];
    expect(places).toHaveLength(50 + 50 + 3 + 3);
    for (const [x, y] of places) {
      expect(Number(x)).toBeGreaterThanOrEqual(62);
      expect(Number(x)).toBeLessThanOrEqual(846);
      expect(Number(y)).toBeGreaterThanOrEqual(55);
      expect(Number(y)).toBeLessThanOrEqual(475);
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
