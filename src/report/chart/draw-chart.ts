import { standaloneStyle } from "./chart-style.ts";
import { markPath } from "./draw-marks.ts";
import { flowTexts, lineHeight } from "./flow-texts.ts";
import { drawPlot } from "./draw-plot.ts";
import type { Plot, PlotLayout, PlotShape } from "./plot.ts";
import { element, escapeMarkup } from "./svg.ts";
import { breakText } from "./text-width.ts";

/** One thing that colours or shapes of a chart stand for. */
export interface LegendEntry {
  readonly kind: PlotShape | "front" | "curve";
  /** Class that gives its colour; empty for those that stand for a shape only. */
  readonly colour: string;
  readonly title: string;
}

/** A chart with its legend. */
export interface Chart {
  /** Name in the page and of its file. */
  readonly id: string;
  /** What it shows, in one line. */
  readonly title: string;
  readonly legend: readonly LegendEntry[];
  readonly plot: Plot;
}

/** How charts are drawn: for screens and files, for phones, and small ones without a legend. */
export type ChartSize = "wide" | "narrow" | "panel";

const sizes = {
  wide: { width: 860, plotHeight: 420, fontSize: 13, labelReach: 88 },
  narrow: { width: 360, plotHeight: 290, fontSize: 12.5, labelReach: 28 },
  panel: { width: 360, plotHeight: 260, fontSize: 12.5, labelReach: 28 },
} as const;

interface Drawing {
  readonly layout: PlotLayout;
  readonly legend: readonly string[];
}

/** Draws a chart for a page that has `chartRules` and the palette. */
export function drawChart(chart: Chart, size: ChartSize): string {
  const { layout, legend } = layOut(chart, size);
  const { content, height } = drawPlot(chart.plot, layout);
  const attributes = { role: "img", "aria-label": chart.title, "data-size": size };
  return svg({ ...layout, height }, attributes, [
    element("g", { class: "legend" }, legend),
    element("g", { class: "plot" }, [content]),
  ]);
}

/** Draws a chart as a file of its own, with its title and its colours. */
export function drawStandaloneChart(chart: Chart): string {
  const { layout, legend } = layOut(chart, "wide");
  const { content, height } = drawPlot(chart.plot, layout);
  const lines = breakText(chart.title, layout.width - 4, titleSize, mostTitleLines);
  const step = lineHeight(titleSize);
  const title = lines.map((line, index) => {
    const place = { x: 2, y: 20 + index * step, "font-size": titleSize, "font-weight": 600 };
    return element("text", place, [escapeMarkup(line)]);
  });
  const room = 12 + lines.length * step;
  const sized = { ...layout, height: height + room };
  const drawn = svg(sized, { role: "img", width: layout.width, height: sized.height }, [
    element("title", {}, [escapeMarkup(chart.title)]),
    `<style>${standaloneStyle}</style>`,
    ...title,
    element("g", { transform: `translate(0 ${room})` }, [...legend, content]),
  ]);
  return `${drawn}\n`;
}

const titleSize = 15;
const mostTitleLines = 3;

/** The dimensions of a chart's drawing: what scripts need to redraw its plot. */
export function chartLayout(chart: Chart, size: ChartSize): PlotLayout {
  return layOut(chart, size).layout;
}

function svg(
  { width, height, fontSize }: PlotLayout & { readonly height: number },
  attributes: Readonly<Record<string, string | number>>,
  children: readonly string[],
): string {
  const shared = {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${width} ${height}`,
    class: "chart",
    "font-size": fontSize,
  };
  return element("svg", { ...shared, ...attributes }, children);
}

/** Sets the legend in rows above the plot, as many as it needs. */
function layOut(chart: Chart, size: ChartSize): Drawing {
  const { width, plotHeight, fontSize, labelReach } = sizes[size];
  const entries = size === "panel" ? [] : chart.legend;
  const { placed, height } = flowTexts(
    entries.map(({ title }) => title),
    { width: width - 4, fontSize, indent: 18 },
  );
  const legend = placed.flatMap(({ x, y, lines }, index) => {
    const entry = entries[index];
    if (!entry) return [];
    const texts = lines.map((line, position) => {
      const place = { x: x + 2, y: y + position * lineHeight(fontSize), class: "tick" };
      return element("text", place, [escapeMarkup(line)]);
    });
    const key = drawKey(entry.kind, x - 8, y - fontSize / 3);
    return [element("g", { class: entry.colour || "key" }, [key, ...texts])];
  });
  const top = entries.length > 0 ? height + 6 : 0;
  return { layout: { width, top, plotHeight, fontSize, labelReach }, legend };
}

function drawKey(kind: LegendEntry["kind"], x: number, y: number): string {
  if (kind === "front" || kind === "curve") {
    return element("polyline", { class: kind, points: `${x - 6},${y + 3} ${x + 6},${y - 3}` });
  }
  return element("path", {
    class: "mark",
    d: markPath(kind, 5.5),
    transform: `translate(${x} ${y})`,
  });
}
