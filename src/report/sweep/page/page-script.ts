/// <reference lib="dom" />
import { plotParts } from "../../chart/plot.ts";
import { addAxisChoice, addFilters, pageControlsParts } from "./page-controls.ts";
import { addKeys, addPointing, pagePointingParts } from "./page-pointing.ts";
import { type FilterName, type PageData, pageStateParts, redraw } from "./page-state.ts";
import { addCopyButtons, addSorting, pageTableParts } from "./page-table.ts";
import { sweepViewParts } from "./sweep-view.ts";

/** Begins the work of the script in the page. */
function startPage(): void {
  const source = document.getElementById("data")?.textContent;
  if (!source) return;
  const data = JSON.parse(source) as PageData;
  const names: readonly FilterName[] = ["model", "method", "bits"];
  const state = {
    data,
    rows: new Map(data.view.rows.map((row) => [row.id, row])),
    filters: new Map(names.map((name) => [name, new Set<string>()])),
    axes: new Map(Object.entries(data.charts).map(([id, { x, y }]) => [id, { x, y }])),
  };
  addFilters(state);
  addAxisChoice(state);
  addSorting();
  addCopyButtons(state);
  addPointing(state);
  addKeys(state);
  redraw(state);
}

/**
 * Writes the script of a page: the functions that draw in Node too, and those of this folder, as
 * they stand in the source. They call each other by name, so nothing outside of these files is used
 * in them.
 */
export function writePageScript(): string {
  const parts = [
    ...plotParts,
    ...sweepViewParts,
    ...pageStateParts,
    ...pageControlsParts,
    ...pageTableParts,
    ...pagePointingParts,
    startPage,
  ];
  const source = parts.map(String).join("\n");
  return `(() => {\n"use strict";\n${source}\n${startPage.name}();\n})();`;
}
