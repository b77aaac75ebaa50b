import type { ModelPlan, PlanMachine } from "../../machines/plan-model.ts";
import type { FloatStorage } from "../../machines/storage.ts";
import { kvCacheDTypes } from "../../nn/kv-cache.ts";
import { element, escapeMarkup } from "../chart/svg.ts";
import { formatCount } from "../format.ts";
import { pageDocument } from "../page-document.ts";
import { plainStyle } from "../style.ts";
import { pageScript } from "./page/page-script.generated.ts";
import { planFigures } from "./page/plan-figures.ts";
import {
  bitChoices,
  groupChoices,
  type PlanPageData,
  type PlanSettings,
  planView,
  tableChoices,
} from "./page/plan-view.ts";
import { planStyle } from "./plan-style.ts";
import { formatModelPlan } from "./plan-text.ts";

/** The longest context that the slider reaches where the model has a shorter one. */
const leastLongest = 2 ** 17;

/**
 * Writes a page of HTML that needs nothing else, on which bits, context and machine are moved by
 * hand. What the plan says stands on it as a table, too, for where no script runs.
 */
export function formatPlanPage(
  plan: ModelPlan,
  machines: readonly PlanMachine[],
  floats: FloatStorage,
): string {
  const { shape, name, context, kvCache } = plan;
  const data: PlanPageData = { shape, floats, machines };
  const machine = machines[0]?.id ?? "";
  const start: PlanSettings = {
    bits: 4,
    group: 64,
    embedding: 8,
    head: 8,
    kvCache,
    context,
    machine,
  };
  const figures = planFigures(data, start, planView(data, start));
  const body = [
    element("h1", {}, [escapeMarkup(`What bits change of ${name}`)]),
    element("p", { class: "status" }, [
      escapeMarkup(
        `${shape.modelType}, ${formatCount(shape.parameters)} parameters, ${shape.passes} blocks, ` +
          `made for ${shape.contextLength} tokens`,
      ),
    ]),
    element("div", { class: "columns" }, [
      controls(data, start),
      element("div", {}, [
        element("div", { role: "status", "aria-live": "polite" }, [bigFigures(figures)]),
        gauge(figures),
        chart(),
        element("p", { class: "note", "data-figure": "source" }, [
          escapeMarkup(figures.source ?? ""),
        ]),
      ]),
    ]),
    element("details", {}, [
      element("summary", {}, ["The same as a table"]),
      element("pre", { tabindex: 0 }, [
        escapeMarkup(formatModelPlan(plan, { width: 120, style: plainStyle }).join("\n")),
      ]),
    ]),
  ];
  const title = `What bits change of ${name}`;
  return pageDocument({ title, style: planStyle, script: pageScript, data, body });
}

function controls({ shape, machines }: PlanPageData, start: PlanSettings): string {
  const bitsOf = (bits: number): [string, string] => [String(bits), String(bits)];
  const longest = Math.log2(Math.max(leastLongest, shape.contextLength));
  const slider = {
    id: "context",
    name: "context",
    type: "range",
    min: 7,
    max: longest,
    step: 0.25,
    value: Math.log2(start.context),
  };
  return element("form", { autocomplete: "off" }, [
    choices("bits", "Bits of the linear layers", bitChoices.map(bitsOf), start.bits),
    choices(
      "group",
      "Weights that share a scale",
      groupChoices.map((size) => (size === null ? ["row", "a row"] : bitsOf(size))),
      start.group ?? "row",
    ),
    choices(
      "embedding",
      shape.tied ? "Bits of the embedding, which is the output head" : "Bits of the embedding",
      tableChoices.map(bitsOf),
      start.embedding,
    ),
    ...(shape.tied
      ? []
      : [choices("head", "Bits of the output head", tableChoices.map(bitsOf), start.head)]),
    choices(
      "kvCache",
      "Keys and values",
      kvCacheDTypes.map((dtype) => [dtype, dtype]),
      start.kvCache,
    ),
    element("div", {}, [
      element("label", { class: "name", for: "context" }, ["Context"]),
      element("input", slider),
      element("output", { for: "context", "data-figure": "context" }),
    ]),
    element("div", {}, [
      element("label", { class: "name", for: "machine" }, ["Machine"]),
      element(
        "select",
        { id: "machine", name: "machine" },
        machines.map(({ id, title }) => element("option", { value: id }, [escapeMarkup(title)])),
      ),
    ]),
  ]);
}

/** A choice of one of a few: radio buttons, so that arrow keys move it. */
function choices(
  name: string,
  title: string,
  values: readonly (readonly [value: string, text: string])[],
  chosen: string | number,
): string {
  const buttons = values.map(([value, text]) => {
    const checked = value === String(chosen) ? { checked: "" } : {};
    return element("label", {}, [
      element("input", { type: "radio", name, value, ...checked }),
      element("span", {}, [text]),
    ]);
  });
  return element("fieldset", {}, [
    element("legend", {}, [title]),
    element("div", { class: "choices" }, buttons),
  ]);
}

function bigFigures(figures: Readonly<Record<string, string>>): string {
  const shown = [
    ["Size", "size", "bits"],
    ["Tokens a second", "speed", "basis"],
    ["Memory", "memory", "memoryParts"],
    ["Energy a token", "energy", "moved"],
  ] as const;
  const boxes = shown.map(([title, figure, detail]) =>
    element("div", { class: "figure" }, [
      element("h2", {}, [title]),
      element("b", { "data-figure": figure }, [escapeMarkup(figures[figure] ?? "")]),
      element("small", { "data-figure": detail }, [escapeMarkup(figures[detail] ?? "")]),
    ]),
  );
  return element("div", { class: "figures" }, boxes);
}

function gauge(figures: Readonly<Record<string, string>>): string {
  const parts = ["weights", "kvCache", "work", "program"].map((part) =>
    element("i", { "data-part": part }),
  );
  const key = (colour: string, text: string): string => element("li", { class: colour }, [text]);
  const line = (title: string, figure: string): string =>
    `${title} ${element("b", { "data-figure": figure }, [escapeMarkup(figures[figure] ?? "")])}`;
  return element("div", { class: "gauge" }, [
    element("h2", {}, ["In the machine's memory"]),
    element("div", { id: "bar", "aria-hidden": "true" }, [element("div", {}, parts)]),
    element("ul", { class: "keys" }, [
      key("bits-4", "weights"),
      key("bits-2", "keys and values"),
      element("li", { class: "rest" }, ["the rest"]),
    ]),
    element("p", { id: "fit", "data-figure": "fit" }, [escapeMarkup(figures.fit ?? "")]),
    element("p", { class: "note" }, [
      `${line("Largest context:", "largestContext")}. ${line("Largest model of these proportions:", "largestModel")}.`,
    ]),
  ]);
}

function chart(): string {
  const drawing = (size: string): string =>
    element("svg", {
      xmlns: "http://www.w3.org/2000/svg",
      class: "chart",
      role: "img",
      "aria-label": "Tokens a second over memory, for each number of bits",
      "data-size": size,
      "font-size": size === "wide" ? 13 : 12.5,
    });
  return element("figure", {}, [
    element("h2", {}, ["Speed over memory, by bits"]),
    drawing("wide"),
    drawing("narrow"),
  ]);
}
