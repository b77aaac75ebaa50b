/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { drawPlot } from "../../chart/draw-plot.ts";
import { type PageData, plotView, type ViewRow } from "./sweep-view.ts";

/** What rows can be filtered by. */
export type FilterName = "model" | "method" | "bits";

/** What the reader has chosen. */
export interface PageState {
  readonly data: PageData;
  readonly rows: ReadonlyMap<string, ViewRow>;
  /** Chosen values of each filter; an empty set lets all through. */
  readonly filters: ReadonlyMap<FilterName, Set<string>>;
  /** Axes of each chart. */
  readonly axes: Map<string, { readonly x: string; readonly y: string }>;
}

/** Makes an element of HTML with attributes and text. */
export function makeElement(
  name: string,
  attributes: Readonly<Record<string, string>>,
  text = "",
): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** Returns the rows that all filters let through. */
function shownRows(state: PageState): Set<string> {
  const passes = (row: ViewRow): boolean =>
    [...state.filters].every(([name, chosen]) => chosen.size === 0 || chosen.has(row[name]));
  return new Set(state.data.view.rows.filter(passes).map(({ id }) => id));
}

/** Draws all charts from the rows that are shown, and hides the others everywhere. */
export function redraw(state: PageState): void {
  const shown = shownRows(state);
  for (const [id, { x, y }] of state.axes) {
    const plot = plotView(state.data.view, x, y, shown);
    for (const drawing of document.querySelectorAll(`[data-chart="${id}"] svg`)) {
      const layout = state.data.charts[id]?.layouts[drawing.getAttribute("data-size") ?? ""];
      const place = drawing.querySelector(".plot");
      if (!plot || !layout || !place) continue;
      const { content, height } = drawPlot(plot, layout);
      place.innerHTML = content;
      drawing.setAttribute("viewBox", `0 0 ${layout.width} ${height}`);
    }
  }
  for (const marked of document.querySelectorAll("[data-point]")) {
    const hidden = !shown.has(marked.getAttribute("data-point") ?? "");
    marked.classList.toggle("out", hidden);
  }
  const colours = state.data.view.rows.flatMap(({ id, colour }) => (shown.has(id) ? [colour] : []));
  for (const line of document.querySelectorAll(".plot .curve, .plot .band")) {
    line.classList.toggle("out", !colours.some((colour) => line.classList.contains(colour)));
  }
  const chosen = document.getElementById("chosen");
  const status = document.getElementById("shown");
  if (chosen) chosen.hidden = [...state.filters.values()].every(({ size }) => size === 0);
  if (status) status.textContent = `${shown.size} of ${state.data.view.rows.length} points`;
  namePoints();
}

/** Gives points names for screen readers, and makes one point of each drawing a tab stop. */
function namePoints(): void {
  for (const drawing of document.querySelectorAll("svg.chart")) {
    drawing.setAttribute("role", "group");
    const points = [...drawing.querySelectorAll("g[data-point]:not(.out)")];
    for (const [index, point] of points.entries()) {
      const title = point.querySelector("title");
      if (title) point.setAttribute("aria-label", (title.textContent ?? "").replaceAll("\n", ", "));
      // The page shows the record itself; the browser's box would cover it.
      title?.remove();
      point.setAttribute("role", "button");
      point.setAttribute("tabindex", index === points.length - 1 ? "0" : "-1");
    }
  }
}
