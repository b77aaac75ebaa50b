/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { makeElement, type PageState } from "./page-state.ts";
import type { ViewRow } from "./sweep-view.ts";

/** Shows a point's record while pointer or focus is on it; a click copies its command. */
export function addPointing(state: PageState): void {
  const box = makeElement("div", { id: "record", role: "tooltip", hidden: "" });
  document.body.append(box, makeElement("div", { id: "note", role: "status", hidden: "" }));
  let touched: Element | null = null;
  const point = (event: Event): void => {
    const marked = markedAt(event);
    const row = state.rows.get(marked?.getAttribute("data-point") ?? "");
    lightPoint(row?.id ?? null);
    box.hidden = true;
    if (marked && row && marked.closest("svg")) showRecord(box, marked, row);
  };
  document.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") point(event);
  });
  document.addEventListener("focusin", point);
  document.addEventListener("click", (event) => {
    const marked = markedAt(event);
    const onChart = marked?.closest("svg") ? marked : null;
    const row = state.rows.get(onChart?.getAttribute("data-point") ?? "");
    const first = (event as PointerEvent).pointerType === "touch" && touched !== onChart;
    touched = onChart;
    // A finger cannot rest on a point: the first tap shows, the second one copies.
    if (first || !row) point(event);
    else copyCommand(row);
  });
}

/** Finds the row that an event is in, or in a chart the mark that is nearest to the pointer. */
function markedAt(event: Event): Element | null {
  const reach = 18;
  if (!(event.target instanceof Element)) return null;
  const chart = event.target.closest("svg.chart");
  if (!chart || !(event instanceof MouseEvent)) return event.target.closest("[data-point]");
  let nearest: Element | null = null;
  let least = reach;
  for (const point of chart.querySelectorAll("g[data-point]:not(.out)")) {
    const box = (point.querySelector(".mark") ?? point).getBoundingClientRect();
    const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    const distance = Math.hypot(event.clientX - x, event.clientY - y);
    if (distance >= least) continue;
    least = distance;
    nearest = point;
  }
  return nearest;
}

/** Lights up everything that stands for one point; null for nothing. */
function lightPoint(id: string | null): void {
  for (const lit of document.querySelectorAll(".lit")) {
    if (lit.getAttribute("data-point") !== id) lit.classList.remove("lit");
  }
  if (id === null) return;
  for (const marked of document.querySelectorAll(`[data-point="${id}"]`)) {
    marked.classList.add("lit");
  }
}

/** Shows a record beside its mark, within the window. */
function showRecord(box: HTMLElement, marked: Element, row: ViewRow): void {
  const [head = "", ...lines] = row.lines;
  const action = row.command === null ? [] : ["click to copy its command"];
  box.replaceChildren(
    makeElement("b", {}, head),
    ...lines.map((line) => makeElement("div", {}, line)),
    ...action.map((line) => makeElement("div", { class: "action" }, line)),
  );
  box.hidden = false;
  const mark = (marked.querySelector(".mark") ?? marked).getBoundingClientRect();
  const room = document.documentElement.clientWidth;
  const left =
    mark.right + 12 + box.offsetWidth > room ? mark.left - 12 - box.offsetWidth : mark.right + 12;
  const top = Math.min(mark.top - 8, window.innerHeight - box.offsetHeight - 8);
  box.style.left = `${Math.max(8, Math.min(left, room - box.offsetWidth - 8))}px`;
  box.style.top = `${Math.max(8, top)}px`;
}

/** Copies the command that makes a point again, and says so. */
export function copyCommand(row: ViewRow): void {
  if (row.command === null) {
    showNote("This is the original: there is nothing to run.", "");
    return;
  }
  const { command } = row;
  const copied = (): void => showNote("Copied:", command);
  const refused = (): void => showNote(copyByCommand(command) ? "Copied:" : "Copy this:", command);
  // Browsers without it, or that refuse it to files, have the older command.
  if (navigator.clipboard) navigator.clipboard.writeText(command).then(copied, refused);
  else refused();
}

function copyByCommand(text: string): boolean {
  const field = makeElement("textarea", { class: "offscreen" }) as HTMLTextAreaElement;
  field.value = text;
  const focused = document.activeElement;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement || focused instanceof SVGElement) focused.focus();
  return done;
}

function showNote(text: string, command: string): void {
  const note = document.getElementById("note");
  if (!note) return;
  const number = String(Number(note.dataset["number"] ?? 0) + 1);
  note.dataset["number"] = number;
  note.replaceChildren(text, " ", makeElement("code", {}, command));
  note.hidden = false;
  setTimeout(() => {
    if (note.dataset["number"] === number) note.hidden = true;
  }, 5000);
}

/** Arrow keys go from point to point, Enter copies, Escape closes the record. */
export function addKeys(state: PageState): void {
  document.addEventListener("keydown", (event) => {
    const box = document.getElementById("record");
    if (event.key === "Escape" && box) box.hidden = true;
    const own = document.activeElement?.closest("svg [data-point]");
    const row = state.rows.get(own?.getAttribute("data-point") ?? "");
    if (!own || !row) return;
    if (event.key === "Enter" || event.key === " ") copyCommand(row);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" || event.key === " " || step !== undefined) event.preventDefault();
    if (step === undefined) return;
    const leftOf = (point: Element): number => point.getBoundingClientRect().left;
    const drawn = own.closest("svg")?.querySelectorAll<SVGElement>("g[data-point]:not(.out)") ?? [];
    const points = [...drawn].sort((a, b) => leftOf(a) - leftOf(b));
    const next = points[points.indexOf(own as SVGElement) + step];
    if (!next) return;
    own.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}
