import { standaloneStyle } from "./chart-style.ts";
import { drawPlot, markPath, type Plot, type PlotLayout, type PlotShape } from "./plot.ts";
import { element, escapeMarkup } from "./svg.ts";

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
  wide: { width: 860, plotHeight: 420, fontSize: 13, left: 62, labelReach: 88 },
  narrow: { width: 360, plotHeight: 290, fontSize: 12.5, left: 56, labelReach: 24 },
  panel: { width: 360, plotHeight: 260, fontSize: 12.5, left: 56, labelReach: 24 },
} as const;

interface Drawing {
  readonly layout: PlotLayout;
  readonly legend: readonly string[];
}

/** Draws a chart for a page that has `chartRules` and the palette. */
export function drawChart(chart: Chart, size: ChartSize): string {
  const { layout, legend } = layOut(chart, size);
  const attributes = { role: "img", "aria-label": chart.title, "data-size": size };
  return svg(layout, attributes, [
    element("g", { class: "legend" }, legend),
    element("g", { class: "plot" }, [drawPlot(chart.plot, layout)]),
  ]);
}

/** Draws a chart as a file of its own, with its title and its colours. */
export function drawStandaloneChart(chart: Chart): string {
  const { layout, legend } = layOut(chart, "wide");
  const room = 34;
  const title = { x: 2, y: 20, "font-size": 15, "font-weight": 600 };
  const sized = { ...layout, height: layout.height + room };
  const content = svg(sized, { role: "img", width: layout.width, height: sized.height }, [
    element("title", {}, [escapeMarkup(chart.title)]),
    `<style>${standaloneStyle}</style>`,
    element("text", title, [escapeMarkup(chart.title)]),
    element("g", { transform: `translate(0 ${room})` }, [...legend, drawPlot(chart.plot, layout)]),
  ]);
  return `${content}\n`;
}

/** The dimensions of a chart's drawing: what scripts need to redraw its plot. */
export function chartLayout(chart: Chart, size: ChartSize): PlotLayout {
  return layOut(chart, size).layout;
}

function svg(
  { width, height, fontSize }: PlotLayout,
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
  const { width, plotHeight, fontSize, left, labelReach } = sizes[size];
  const rowHeight = fontSize + 7;
  const legend: string[] = [];
  let [x, y] = [2, rowHeight / 2 + 2];
  for (const { kind, colour, title } of size === "panel" ? [] : chart.legend) {
    const room = 24 + 0.56 * fontSize * title.length;
    if (x > 2 && x + room > width) [x, y] = [2, y + rowHeight];
    const place = { x: x + 16, y: y + fontSize / 3, class: "tick" };
    legend.push(
      element("g", { class: colour || "key" }, [
        drawKey(kind, x + 6, y),
        element("text", place, [escapeMarkup(title)]),
      ]),
    );
    x += room + 6;
  }
  const top = (legend.length > 0 ? y + rowHeight / 2 + 6 : 0) + fontSize + 14;
  const bottom = top + plotHeight;
  const frame = { left, right: width - 14, top, bottom };
  const height = Math.ceil(bottom + 2.5 * fontSize + 16);
  return { layout: { width, height, frame, fontSize, labelReach }, legend };
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
