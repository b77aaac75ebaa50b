/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/*
 * The script of a plan's page. `npm run build` bundles it into `page-script.generated.ts`, which is
 * what the page carries.
 */
import type { KvCacheDType } from "../../../nn/kv-cache.ts";
import { drawPlot } from "../../chart/draw-plot.ts";
import type { PlotLayout } from "../../chart/plot.ts";
import { planFigures } from "./plan-figures.ts";
import { type PlanPageData, type PlanSettings, planPlot, planView } from "./plan-view.ts";

const layouts: Readonly<Record<string, PlotLayout>> = {
  wide: { width: 620, top: 0, plotHeight: 330, fontSize: 13, labelReach: 60 },
  narrow: { width: 350, top: 0, plotHeight: 250, fontSize: 12.5, labelReach: 28 },
};

/** The control of this name: its value is the field of the settings. */
function valueOf(form: HTMLFormElement, name: string): string {
  const value = new FormData(form).get(name);
  return typeof value === "string" ? value : "";
}

function readSettings(form: HTMLFormElement): PlanSettings {
  const group = valueOf(form, "group");
  return {
    bits: Number(valueOf(form, "bits")),
    group: group === "row" ? null : Number(group),
    embedding: Number(valueOf(form, "embedding")),
    head: Number(valueOf(form, "head") || valueOf(form, "embedding")),
    kvCache: valueOf(form, "kvCache") as KvCacheDType,
    context: Math.round(2 ** Number(valueOf(form, "context"))),
    machine: valueOf(form, "machine"),
  };
}

function show(data: PlanPageData, form: HTMLFormElement): void {
  const settings = readSettings(form);
  const view = planView(data, settings);
  for (const [name, text] of Object.entries(planFigures(data, settings, view))) {
    const place = document.querySelector(`[data-figure="${name}"]`);
    if (place) place.textContent = text;
  }
  for (const [name, bytes] of Object.entries(view.memory)) {
    const bar = document.querySelector<HTMLElement>(`[data-part="${name}"]`);
    if (bar) bar.style.flexGrow = String(bytes / view.memory.all);
  }
  const filled = Math.min(1, view.memory.all / view.machine.memoryBytes);
  document.querySelector<HTMLElement>("#bar")?.style.setProperty("--filled", `${100 * filled}%`);
  document.querySelector("#fit")?.classList.toggle("bad", !view.fit.fits);
  const slider = form.querySelector('[name="context"]');
  slider?.setAttribute("aria-valuetext", `${settings.context} tokens`);
  for (const drawing of document.querySelectorAll("svg.chart")) {
    const layout = layouts[drawing.getAttribute("data-size") ?? ""];
    const { content, height } = drawPlot(planPlot(data, settings), layout);
    drawing.innerHTML = content;
    drawing.setAttribute("viewBox", `0 0 ${layout.width} ${height}`);
  }
}

const source = document.getElementById("data")?.textContent;
const form = document.querySelector("form");
if (source && form) {
  const data = JSON.parse(source) as PlanPageData;
  form.addEventListener("input", () => show(data, form));
  form.addEventListener("submit", (event) => event.preventDefault());
  show(data, form);
}
