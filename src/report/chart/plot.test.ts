import { describe, expect, test } from "vitest";
import { type Chart, drawChart, drawStandaloneChart } from "./draw-chart.ts";
import { markPath } from "./draw-marks.ts";
import { drawPlot } from "./draw-plot.ts";
import type { Plot, PlotPoint } from "./plot.ts";

const layout = { width: 414, top: 0, plotHeight: 240, fontSize: 12, labelReach: 60 };
/** Between the axes: numbers of three characters at the left, a title of one line above. */
const frame = { left: 40, right: 400, top: 24, bottom: 264 };

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

const draw = (plot: Plot, width: number = layout.width): string =>
  drawPlot(plot, { ...layout, width }).content;
const at = (x: number, y: number): string => `translate(${x.toFixed(1)} ${y.toFixed(1)})`;

describe("a plot", () => {
  test("puts places 0 and 1 at the ends of its frame, up as larger", () => {
    const drawn = draw(plotOf([point("a", 0, 0), point("b", 1, 1)]));
    expect(drawn).toContain(`data-point="a" transform="${at(frame.left, frame.bottom)}"`);
    expect(drawn).toContain(`data-point="b" transform="${at(frame.right, frame.top)}"`);
  });

  test("draws faint marks first, so that they cover none of the others", () => {
    const drawn = draw(plotOf([point("a", 0.5, 0.5), point("b", 0.5, 0.5, { faded: true })]));
    expect(drawn.indexOf('data-point="b"')).toBeLessThan(drawn.indexOf('data-point="a"'));
  });

  test("escapes names, records and titles", () => {
    const named = point("a", 0.5, 0.5, { label: "<b>&", title: '<script>"' });
    const drawn = draw({ ...plotOf([named]), x: { title: "<i>", ticks: [] } });
    expect(drawn).not.toMatch(/<(b|script|i)>/);
    expect(drawn).toContain("&lt;b&gt;&amp;");
  });

  test("leaves the note of an axis out where it has no room, and breaks a long title", () => {
    const y = { title: "perplexity", note: "log, up is better", ticks: [] };
    expect(draw({ ...plotOf([]), y })).toContain("perplexity (log, up is better)");
    expect(draw({ ...plotOf([]), y }, 150)).toContain(">perplexity</text>");
    const long = { title: "perplexity on a-text-with-a-long-name.txt", ticks: [] };
    const titles = [
      ...draw({ ...plotOf([]), y: long }, 150).matchAll(/class="title"[^>]*>([^<]*)/g),
    ];
    expect(titles.map(([, text]) => text)).toEqual([
      "perplexity on a-text-",
      "with-a-long-name.txt",
      "size",
    ]);
  });

  test.each([
    ["below", 0.5, -3, at(220, frame.bottom - 15), 0],
    ["above", 0.5, 1e6, at(220, frame.top + 15), 180],
    ["at the right", 7, 0.5, at(frame.right - 15, 144), -90],
    ["at the left", -1, 0.5, at(frame.left + 15, 144), 90],
    ["in a corner", 2, -2, at(frame.right - 15, frame.bottom - 15), -45],
  ])(
    "a mark that lies off the chart %s stands at its edge with an arrow",
    (_, x, y, place, turn) => {
      const drawn = draw(plotOf([point("a", x, y, { whisker: [-5, 3] })]));
      expect(drawn).toContain(place);
      expect(drawn).toContain(
        `class="arrow" d="M0 5V13M-3 10L0 13L3 10" transform="rotate(${turn})"`,
      );
      expect(drawn).not.toContain("whisker");
    },
  );

  test("whiskers end at the edge, and have no cap there", () => {
    const drawn = draw(plotOf([point("a", 0.5, 0.5, { whisker: [-2, 0.75], across: [0.25, 9] })]));
    expect(drawn).toContain('d="M-3 -60.0L3 -60.0M0 120.0L0 -60.0"');
    expect(drawn).toContain('d="M-90.0 -3L-90.0 3M-90.0 0L180.0 0"');
  });

  test("lines are cut off where they leave the chart, and come back where they return", () => {
    const places = [
      [0, 0.5],
      [0.5, -0.5],
      [1, 0.5],
    ] as const;
    const drawn = draw({ ...plotOf([]), lines: [{ kind: "curve", colour: "", places }] });
    expect([...drawn.matchAll(/points="([^"]*)"/g)].map(([, line]) => line)).toEqual([
      "40.0,144.0 130.0,264.0",
      "310.0,264.0 400.0,144.0",
    ]);
  });

  test("names without room are listed below by their numbers, and the drawing grows", () => {
    const crowd = Array.from({ length: 40 }, (_, i) =>
      point(`p${i}`, 0.5 + i / 400, 0.5, { label: `variant-${i}-of-many` }),
    );
    const { content, height } = drawPlot(plotOf(crowd), layout);
    const beside = [...content.matchAll(/class="label"[^>]*>([^<]*)/g)].map(([, text]) => text);
    const listed = [...content.matchAll(/class="listed"[^>]*>([^<]*)/g)].map(([, text]) => text);
    expect(beside).toHaveLength(crowd.length);
    for (const { label } of crowd)
      expect(beside.includes(label ?? "") || listed.includes(label ?? "")).toBe(true);
    expect(beside.filter((text) => /^\d+$/.test(text ?? "")).length).toBeGreaterThan(10);
    expect(height).toBeGreaterThan(drawPlot(plotOf([]), layout).height);
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
