import type { ComparedVariant } from "./comparison.ts";
import { comparisonColumns } from "./comparison-columns.ts";
import type { Layout } from "./style.ts";
import { formatTable } from "./table.ts";

/** Lays out one row a variant, in the order given, as wide as a terminal allows. */
export function formatComparisonTable(
  variants: readonly ComparedVariant[],
  layout: Layout,
): string[] {
  const columns = comparisonColumns(variants);
  return formatTable(
    [
      { header: "variant", minWidth: 20, keep: "end" },
      ...columns.map(({ header, dropOrder }, index) => ({
        header,
        dropOrder,
        align: index === 0 ? ("left" as const) : ("right" as const),
      })),
    ],
    variants.map((variant) => [
      variant.figures.variant,
      ...columns.map(({ cell }) => cell(variant) ?? "–"),
    ]),
    layout,
  );
}
