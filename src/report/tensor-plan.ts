import type { Plan } from "../run/plan.ts";
import { elementCount, type Shape } from "../tensor/shape.ts";
import { formatCount, formatShape, printable } from "./format.ts";
import type { Layout } from "./style.ts";
import { type Cell, formatTable } from "./table.ts";

/** Tensors that are named alike but for numbers, have one shape, and share what becomes of them. */
interface TensorGroup {
  readonly label: string;
  readonly shape: Shape | null;
  readonly outcome: Cell;
  count: number;
  weights: number;
}

/**
 * Lays out what becomes of each tensor of a model whose architecture is not known: the scheme that it
 * gets, or why it stays as it is. Numbers in names are written as `*`.
 */
export function formatTensorPlan({ linears, ends, kept = [] }: Plan, layout: Layout): string[] {
  const groups = new Map<string, TensorGroup>();
  const add = (name: string, shape: Shape, outcome: string, tone: "accent" | "dim"): void => {
    const isVector = shape.length < 2;
    const label = isVector ? "vectors" : name.replace(/(?<=^|\.)\d+(?=\.|$)/g, "*");
    const key = isVector ? outcome : `${label} ${shape.join()} ${outcome}`;
    const cell = { text: printable(outcome), tone };
    const fresh = { label, shape: isVector ? null : shape, outcome: cell, count: 0, weights: 0 };
    const group = groups.get(key) ?? fresh;
    group.count++;
    group.weights += elementCount(shape);
    groups.set(key, group);
  };
  for (const { module, scheme, outFeatures, inFeatures } of [...linears, ...ends]) {
    if (scheme) add(module, [outFeatures, inFeatures], scheme.id, "accent");
  }
  for (const { name, shape, reason } of kept) add(name, shape, `kept: ${reason}`, "dim");
  return formatTable(
    [
      { header: "tensors", minWidth: 24, keep: "end" },
      { header: "count", align: "right", dropOrder: 2 },
      { header: "shape", align: "right", dropOrder: 3 },
      { header: "weights", align: "right", dropOrder: 1 },
      { header: "what becomes of them", minWidth: 16 },
    ],
    [...groups.values()].map(({ label, shape, outcome, count, weights }) => [
      printable(label),
      formatCount(count),
      shape ? formatShape(shape) : "",
      formatCount(weights),
      outcome,
    ]),
    layout,
  );
}
