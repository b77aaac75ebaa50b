/// <reference lib="dom" />
/*
 * The script of a report page. `npm run build` bundles it into `page-script.generated.ts`, which
 * is what the page carries.
 */
import { addAxisChoice, addFilters } from "./page-controls.ts";
import { addKeys, addPointing } from "./page-pointing.ts";
import { type FilterName, redraw } from "./page-state.ts";
import { addCopyButtons, addSorting } from "./page-table.ts";
import type { PageData } from "./sweep-view.ts";

const names: readonly FilterName[] = ["model", "method", "bits"];

function startPage(data: PageData): void {
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

const source = document.getElementById("data")?.textContent;
if (source) startPage(JSON.parse(source) as PageData);
