/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { copyCommand } from "./page-pointing.ts";
import { makeElement, type PageState } from "./page-state.ts";

/** Makes column heads buttons that sort: downwards, then upwards, then as before. */
export function addSorting(): void {
  const table = document.querySelector("#figures table");
  const body = table?.querySelector("tbody");
  if (!table || !body) return;
  const before = [...body.rows];
  const heads = [...table.querySelectorAll("thead th")];
  for (const [column, head] of heads.entries()) {
    const button = makeElement("button", { type: "button" }, head.textContent ?? "");
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const order = nextOrder(head.getAttribute("aria-sort"));
      for (const other of heads) other.removeAttribute("aria-sort");
      if (order !== null) head.setAttribute("aria-sort", order);
      body.classList.toggle("sorted", order !== null);
      body.append(...(order === null ? before : sortRows(before, column, order)));
    });
  }
}

function nextOrder(order: string | null): "descending" | "ascending" | null {
  if (order === null) return "descending";
  return order === "descending" ? "ascending" : null;
}

/** Sorts by a column's numbers, or by texts where it has none; rows without one come last. */
function sortRows(
  rows: readonly HTMLTableRowElement[],
  column: number,
  order: "descending" | "ascending",
): HTMLTableRowElement[] {
  const sign = order === "ascending" ? 1 : -1;
  const textOf = (row: HTMLTableRowElement): string => row.cells[column]?.textContent ?? "";
  const numberOf = (row: HTMLTableRowElement): number =>
    Number.parseFloat(row.cells[column]?.dataset["value"] ?? "");
  return [...rows].sort((a, b) => {
    const [one, two] = [numberOf(a), numberOf(b)];
    if (column === 0) return sign * textOf(a).localeCompare(textOf(b), "en", { numeric: true });
    if (Number.isNaN(one) || Number.isNaN(two))
      return Number(Number.isNaN(one)) - Number(Number.isNaN(two));
    return sign * (one - two);
  });
}

/** Adds a button to each row that copies the command of its point. */
export function addCopyButtons(state: PageState): void {
  const table = document.querySelector("#figures table");
  table?.querySelector("thead tr")?.append(makeElement("td", {}));
  for (const row of table?.querySelectorAll<HTMLElement>("tbody tr") ?? []) {
    const cell = makeElement("td", {});
    row.append(cell);
    const point = state.rows.get(row.dataset["point"] ?? "");
    if (!point || point.command === null) continue;
    const label = { type: "button", class: "copy", "aria-label": `copy command of ${point.name}` };
    const button = makeElement("button", label, "copy");
    button.addEventListener("click", () => copyCommand(point));
    cell.append(button);
  }
}
