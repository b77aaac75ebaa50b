import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import { type Chart, type ChartSize, chartLayout, drawChart } from "../chart/draw-chart.ts";
import { element, escapeMarkup } from "../chart/svg.ts";
import { pageDocument } from "../page-document.ts";
import { pageScript } from "./page/page-script.generated.ts";
import type { PageData } from "./page/sweep-view.ts";
import type { ViewChart } from "./sweep-charts.ts";
import type { SweepDescription } from "./describe-sweep.ts";
import { factsOf, failuresOf, unfinishedOf } from "./sweep-account.ts";
import type { SweepRow } from "./sweep-row.ts";
import { htmlSamples } from "./sweep-samples.ts";
import { sweepStyle } from "./sweep-style.ts";
import { htmlTable } from "./sweep-table.ts";

/**
 * Writes a sweep as one page of HTML that needs nothing else. It can be read without its script,
 * which adds filters, the choice of axes, sorting and what is known of a point; the page's policy
 * lets no other script run and nothing be loaded.
 */
export function formatSweepPage(page: SweepDescription): string {
  const { title } = page;
  const body = sectionsOf(page);
  return pageDocument({ title, style: sweepStyle, script: pageScript, data: dataOf(page), body });
}

function sectionsOf(sweep: SweepDescription): string[] {
  const { title, results, rows, findings, main, families, panels, allocations, best } = sweep;
  const texts = findings.map(({ text }) => text);
  return [
    element("h1", {}, [escapeMarkup(title)]),
    element("p", { class: "status" }, [escapeMarkup(factsOf(results)[0]?.text ?? "")]),
    formatList("findings", texts.slice(0, 3)),
    main ? mainFigure(main) : "",
    section("The same over model sizes", families.map(familyFigure).join("\n")),
    section("Other measures", formatPanels(panels)),
    section("Bits of each layer", formatAllocations(allocations)),
    section("All figures", element("div", { id: "figures" }, [htmlTable(rows, best)])),
    section("What they write", htmlSamples(rows)),
    section("What else the figures say", formatList("others", texts.slice(3))),
    section(
      "How it was measured",
      formatFacts(results) + formatRecipe(results) + formatCommands(rows),
    ),
    section("What failed", formatFailures(results)),
    section("Not done", formatUnfinished(results)),
  ];
}

/** What the script needs. */
function dataOf({ view, main, panels }: SweepDescription): PageData {
  const entryOf = (chart: ViewChart, sizes: readonly ChartSize[]) => {
    const layouts = sizes.map((size) => [size, chartLayout(chart, size)] as const);
    return [chart.id, { x: chart.x, y: chart.y, layouts: Object.fromEntries(layouts) }] as const;
  };
  const entries = [
    ...(main ? [entryOf(main, ["wide", "narrow"])] : []),
    ...panels.map((chart) => entryOf(chart, ["panel"])),
  ];
  return { view, charts: Object.fromEntries(entries) };
}

function section(title: string, content: string): string {
  if (content === "") return "";
  return `<section>${element("h2", {}, [escapeMarkup(title)])}\n${content}</section>`;
}

function formatList(className: string, texts: readonly string[]): string {
  if (texts.length === 0) return "";
  const items = texts.map((text) => element("li", {}, [escapeMarkup(text)]));
  return element("ul", { class: className }, items);
}

const mainCaption =
  "The line is the front: what nothing else beats in both ways. It joins only what can be " +
  "compared, and speeds, times and memory whose whiskers overlap count as equal. Faint points " +
  "are beaten, the less faint ones not clearly (paired comparison). Whiskers are 95 % intervals " +
  "of each point alone. Points off the chart stand at its edge with an arrow and their figures; " +
  "names without room are listed by their numbers.";
const familyCaption =
  "A curve for each bit-width: the method and scheme that are best there, fitted where there are " +
  "three sizes or more, with the " +
  "95 % band of the fit. Faint points are other methods.";

/** The main chart, with room above it for the script's controls. */
function mainFigure(chart: ViewChart): string {
  const figure = element("figure", { "data-chart": chart.id }, [
    element("div", { id: "axes", class: "axes" }),
    drawChart(chart, "wide"),
    drawChart(chart, "narrow"),
    element("figcaption", {}, [escapeMarkup(mainCaption)]),
  ]);
  return section(chart.title, element("div", { id: "filters" }) + figure);
}

function familyFigure(chart: Chart): string {
  return element("figure", { "data-chart": chart.id }, [
    element("h3", {}, [escapeMarkup(chart.title)]),
    drawChart(chart, "wide"),
    drawChart(chart, "narrow"),
    element("figcaption", {}, [escapeMarkup(familyCaption)]),
  ]);
}

function formatPanels(charts: readonly ViewChart[]): string {
  if (charts.length === 0) return "";
  const figures = charts.map((chart) =>
    element("figure", { "data-chart": chart.id }, [
      element("h3", {}, [escapeMarkup(chart.title)]),
      drawChart(chart, "panel"),
    ]),
  );
  const note = element("p", { class: "note" }, ["Colours and shapes as in the first chart."]);
  return note + element("div", { class: "panels" }, figures);
}

/** Each allocation along the depth of its model; the first says what colours stand for. */
function formatAllocations(charts: readonly Chart[]): string {
  const figures = charts.map((chart) =>
    element("figure", {}, [
      element("h3", {}, [escapeMarkup(chart.title)]),
      drawChart(chart, "panel"),
    ]),
  );
  const looks = charts[0]?.legend.map(({ kind, colour, title }) =>
    element("span", { class: colour }, [
      element("span", { class: "look" }, [escapeMarkup(kind)]),
      escapeMarkup(` ${title}`),
    ]),
  );
  if (!looks) return "";
  return (
    element("p", { class: "note" }, [looks.join(", ")]) +
    element("div", { class: "panels" }, figures)
  );
}

function formatFacts(results: SweepResults): string {
  const facts = factsOf(results).map(
    ({ name, text }) =>
      element("dt", {}, [escapeMarkup(name)]) + element("dd", {}, [escapeMarkup(text)]),
  );
  return element("dl", {}, facts);
}

function formatRecipe({ recipe }: SweepResults): string {
  if (recipe === null || recipe === undefined) return "";
  return element("details", {}, [
    element("summary", {}, ["Recipe of the sweep"]),
    element("pre", {}, [escapeMarkup(JSON.stringify(recipe, null, 2))]),
  ]);
}

function formatCommands(rows: readonly SweepRow[]): string {
  const commands = rows.flatMap(({ record }) => (record.command === null ? [] : [record.command]));
  if (commands.length === 0) return "";
  return element("details", {}, [
    element("summary", {}, ["Commands that make each point again"]),
    element("pre", {}, [escapeMarkup(commands.join("\n"))]),
  ]);
}

function formatFailures(results: SweepResults): string {
  const items = failuresOf(results).map(({ record, message, hint }) =>
    element("li", {}, [
      element("b", {}, [escapeMarkup(`${record.point.model} ${record.point.label}`)]),
      escapeMarkup(message),
      ...(hint === null ? [] : ["<br>", element("span", { class: "hint" }, [escapeMarkup(hint)])]),
    ]),
  );
  return items.length === 0 ? "" : element("ul", { class: "failures" }, items);
}

function formatUnfinished(results: SweepResults): string {
  const names = unfinishedOf(results).map(({ point }) => `${point.model} ${point.label}`);
  return names.length === 0 ? "" : element("p", {}, [escapeMarkup(names.join(", "))]);
}
