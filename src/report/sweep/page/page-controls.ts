/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { type FilterName, makeElement, type PageState, redraw } from "./page-state.ts";

/** Adds buttons that filter by model, method and bits. */
export function addFilters(state: PageState): void {
  const place = document.getElementById("filters");
  if (!place) return;
  for (const name of state.filters.keys()) {
    const values = [...new Set(state.data.view.rows.map((row) => row[name]))];
    if (values.length < 2) continue;
    const named = { role: "group", "aria-label": `filter by ${name}`, class: "chips" };
    const group = makeElement("div", named);
    group.append(makeElement("span", { class: "chips-name" }, name));
    for (const value of values) group.append(filterChip(state, name, value));
    place.append(group);
  }
  const clear = makeElement("button", { type: "button", class: "clear" }, "show all");
  clear.addEventListener("click", () => {
    for (const chosen of state.filters.values()) chosen.clear();
    for (const chip of place.querySelectorAll("[aria-pressed]")) {
      chip.setAttribute("aria-pressed", "false");
    }
    redraw(state);
  });
  const line = makeElement("div", { id: "chosen", class: "chips", hidden: "" });
  line.append(clear, makeElement("span", { id: "shown", role: "status", class: "note" }));
  place.append(line);
}

function filterChip(state: PageState, name: FilterName, value: string): HTMLElement {
  const attributes = { type: "button", "aria-pressed": "false", "data-filter": name };
  const chip = makeElement("button", attributes, value);
  chip.addEventListener("click", () => {
    const chosen = state.filters.get(name);
    const pressed = !chosen?.delete(value);
    if (pressed) chosen?.add(value);
    chip.setAttribute("aria-pressed", String(pressed));
    redraw(state);
  });
  return chip;
}

/** Adds lists of measures for both axes of the first chart. */
export function addAxisChoice(state: PageState): void {
  const place = document.getElementById("axes");
  const [first] = state.axes;
  if (!place || !first) return;
  const [id, chosen] = first;
  for (const axis of ["y", "x"] as const) {
    const list = makeElement("select", { id: `axis-${axis}` }) as HTMLSelectElement;
    for (const measure of state.data.view.measures) {
      if (axis === "y" && measure.role !== "quality") continue;
      const option = makeElement("option", { value: measure.id }, measure.name);
      (option as HTMLOptionElement).selected = measure.id === chosen[axis];
      list.append(option);
    }
    list.addEventListener("change", () => {
      state.axes.set(id, { ...(state.axes.get(id) ?? chosen), [axis]: list.value });
      redraw(state);
    });
    const label = makeElement("label", {}, axis === "y" ? "up" : "across");
    label.append(list);
    place.append(label);
  }
}
