import type { MachineForecast, ModelPlan, PlannedVariant } from "../../machines/plan-model.ts";
import {
  formatBits,
  formatBytes,
  formatCount,
  formatNumber,
  formatPlural,
  printable,
} from "../format.ts";
import { formatEnergy, formatOperations } from "./format-energy.ts";
import { joinParts } from "../plan-summary.ts";
import type { Layout } from "../style.ts";
import { type Cell, type Column, formatTable } from "../table.ts";
import { wrapText } from "../wrap-text.ts";

const kindNames = {
  attention: "attention",
  mlp: "mlp",
  experts: "experts",
  router: "router",
  embedding: "embedding",
  head: "head",
  others: "norms and biases",
} as const;

/** Lays out what bits change of a model: a line of the model, a table of variants, one of machines. */
export function formatModelPlan(plan: ModelPlan, layout: Layout): string[] {
  return [
    ...joinParts(describeModel(plan), layout),
    ...joinParts(describeParameters(plan), layout).map((line) => layout.style(line, "dim")),
    ...joinParts(describeRun(plan), layout).map((line) => layout.style(line, "dim")),
    "",
    ...formatVariants(plan, layout),
    "",
    ...formatFits(plan, layout),
    ...formatSpeeds(plan, layout),
  ];
}

function describeModel({ name, shape }: ModelPlan): string[] {
  return [
    printable(name),
    printable(shape.modelType),
    formatPlural(shape.passes, "block"),
    `${formatCount(shape.parameters)} parameters`,
  ];
}

function describeParameters({ parameters }: ModelPlan): string[] {
  return Object.entries(kindNames).flatMap(([kind, title]) => {
    const count = parameters[kind as keyof typeof kindNames] ?? 0;
    return count > 0 ? [`${title} ${formatCount(count)}`] : [];
  });
}

function describeRun({ context, kvCache, shape }: ModelPlan): string[] {
  return [
    `${context} tokens of context (made for ${shape.contextLength})`,
    `keys and values in ${kvCache}`,
  ];
}

function formatVariants(plan: ModelPlan, layout: Layout): string[] {
  const right = "right" as const;
  const columns: Column[] = [
    { header: "scheme" },
    { header: "bits/weight", align: right },
    { header: "size", align: right },
    { header: "memory", align: right },
    { header: "read a token", align: right, dropOrder: 1 },
    { header: "operations", align: right, dropOrder: 2 },
    { header: "energy", align: right, dropOrder: 3 },
  ];
  const rows = plan.variants.map((variant): Cell[] => [
    variant.name,
    formatBits(variant.stored.bitsPerWeight.linear),
    formatBytes(variant.stored.all),
    formatBytes(variant.memory.all),
    formatBytes(variant.token.bytes),
    formatOperations(variant.token.operations),
    formatEnergy(variant.token.joules),
  ]);
  return formatTable(columns, rows, layout);
}

/** What fits the memory that was named, or that of the first machine. */
function formatFits(plan: ModelPlan, layout: Layout): string[] {
  const [machine] = plan.machines;
  const memory = plan.memoryBytes ?? machine?.memoryBytes;
  if (memory === undefined || machine === undefined) return [];
  const title =
    plan.memoryBytes === null
      ? `in the ${formatBytes(memory)} of ${printable(machine.title)}`
      : `in ${formatBytes(memory)}`;
  const right = "right" as const;
  const columns: Column[] = [
    { header: "scheme" },
    { header: title },
    { header: "largest context", align: right },
    { header: "largest model", align: right, dropOrder: 1 },
  ];
  const rows = plan.variants.map((variant): Cell[] => {
    const [fit] = variant.machines;
    if (!fit) return [variant.name];
    return [
      variant.name,
      fit.fits ? "fits" : { text: "does not fit", tone: "failure" },
      fit.largestContext === 0 ? "none" : `${formatCount(fit.largestContext)} tokens`,
      `${formatCount(fit.largestParameters)} parameters`,
    ];
  });
  return [...formatTable(columns, rows, layout), ""];
}

function formatSpeeds(plan: ModelPlan, layout: Layout): string[] {
  if (plan.machines.length === 0) return [];
  const shown = plan.variants.filter((_, index) => index < 6);
  const columns: Column[] = [
    { header: "tokens a second", minWidth: 18 },
    ...shown.map(
      ({ name }, index): Column => ({
        header: name,
        align: "right",
        dropOrder: index + 1,
      }),
    ),
  ];
  const rows = plan.machines.map((machine, index): Cell[] => [
    printable(machine.title),
    ...shown.map((variant) => formatSpeed(variant, index)),
  ]);
  const timed = plan.machines.some(({ basis }) => basis === "table");
  const note = timed
    ? "Of a machine whose kernels were timed these are predictions, of others the most that bandwidth and peak allow."
    : "The most that bandwidth and peak allow: programs reach a part of it.";
  return [
    ...formatTable(columns, rows, layout),
    "",
    ...wrapText(note, layout.width).map((line) => layout.style(line, "dim")),
  ];
}

function formatSpeed({ machines }: PlannedVariant, index: number): Cell {
  const forecast: MachineForecast | undefined = machines[index];
  if (!forecast?.speeds) return "not timed";
  const text = formatNumber(forecast.speeds.decode);
  return forecast.fits ? text : { text: "too large", tone: "dim" };
}
