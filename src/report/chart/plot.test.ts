import { describe, expect, test } from "vitest";
import { type Chart, drawChart, drawStandaloneChart } from "./draw-chart.ts";
import { drawPlot, markPath, type Plot, type PlotPoint } from "./plot.ts";

const layout = {
  width: 400,
  height: 300,
  frame: { left: 40, right: 390, top: 20, bottom: 260 },
  fontSize: 12,
  labelReach: 60,
};

const point = (id: string, x: number, y: number, more: Partial<PlotPoint> = {}): PlotPoint => ({
  id,
  x,
  y,
  whisker: null,
  colour: "bits-2",
  shape: "circle",
  label: null,
  faded: false,
  title: id,
  ...more,
});

const axis = { title: "size", ticks: [0, 0.5, 1].map((at) => ({ at, label: `${at}` })) };
const plotOf = (points: readonly PlotPoint[]): Plot => ({
  x: axis,
  y: axis,
  lines: [],
  points,
  side: "left",
});

describe("a plot", () => {
  test("puts places 0 and 1 at the ends of its frame, up as larger", () => {
    const drawn = drawPlot(plotOf([point("a", 0, 0), point("b", 1, 1)]), layout);
    expect(drawn).toContain('data-point="a" transform="translate(40.0 260.0)"');
    expect(drawn).toContain('data-point="b" transform="translate(390.0 20.0)"');
  });

  test("draws faint marks first, so that they cover none of the others", () => {
    const drawn = drawPlot(
      plotOf([point("a", 0.5, 0.5), point("b", 0.5, 0.5, { faded: true })]),
      layout,
    );
    expect(drawn.indexOf('data-point="b"')).toBeLessThan(drawn.indexOf('data-point="a"'));
  });

  test("escapes names, records and titles", () => {
    const named = point("a", 0.5, 0.5, { label: "<b>&", title: '<script>"' });
    const drawn = drawPlot({ ...plotOf([named]), x: { title: "<i>", ticks: [] } }, layout);
    expect(drawn).not.toMatch(/<(b|script|i)>/);
    expect(drawn).toContain("&lt;b&gt;&amp;");
  });

  test("leaves the note of an axis out where it has no room", () => {
    const y = { title: "perplexity", note: "log, up is better", ticks: [] };
    expect(drawPlot({ ...plotOf([]), y }, layout)).toContain("perplexity (log, up is better)");
    const narrow = { ...layout, frame: { ...layout.frame, right: 150 } };
    expect(drawPlot({ ...plotOf([]), y }, narrow)).toContain(">perplexity</text>");
  });

  test("marks that lie below the chart stand on its edge with an arrow", () => {
    const drawn = drawPlot(plotOf([point("a", 0.5, 0, { below: true })]), layout);
    expect(drawn).toContain("translate(215.0 245.0)");
    expect(drawn).toContain('class="whisker"');
  });
});

test("shapes of marks are all different", () => {
  const shapes = [
    "circle",
    "square",
    "triangle",
    "diamond",
    "down",
    "pentagon",
    "plus",
    "star",
  ] as const;
  expect(new Set(shapes.map((shape) => markPath(shape, 5))).size).toBe(shapes.length);
});

describe("a chart", () => {
  const chart: Chart = {
    id: "quality-size",
    title: "Perplexity & size",
    legend: Array.from({ length: 12 }, (_, i) => ({
      kind: "circle" as const,
      colour: "bits-4",
      title: `model number ${i}`,
    })),
    plot: plotOf([point("a", 0.5, 0.5, { label: "a" })]),
  };

  test("sets its legend in as many rows as it needs, within its width", () => {
    const drawn = drawChart(chart, "narrow");
    const [, width = "0", height = "0"] = /viewBox="0 0 (\d+) (\d+)"/.exec(drawn) ?? [];
    const texts = [...drawn.matchAll(/<text x="([\d.]+)" y="([\d.]+)" class="tick">model/g)];
    expect(texts).toHaveLength(12);
    for (const [, x = "", y = ""] of texts) {
      expect(Number(x) + 7 * "model number 1".length).toBeLessThan(Number(width));
      expect(Number(y)).toBeLessThan(Number(height));
    }
  });

  test("as a file of its own has its colours and asks for nothing", () => {
    const drawn = drawStandaloneChart(chart);
    expect(drawn).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" /);
    expect(drawn).toContain("prefers-color-scheme: dark");
    expect(drawn).toContain("<title>Perplexity &amp; size</title>");
    expect(drawn.replace("http://www.w3.org/2000/svg", "")).not.toMatch(
      /https?:|url\(|@import|href=/,
    );
  });
});
