import type { DecoderConfig } from "../../../models/decoder-config.ts";
import type { GraphBuilder, Value } from "./graph-builder.ts";
import type { ComputeType } from "./matrix-plan.ts";

/** What all blocks need to know of the tokens that are there. */
export interface Sequence {
  /** `[batch, length]` i64: positions of the new tokens, padding in front of a text not counted. */
  readonly positions: Value;
  /** `[total]` i64: 0, 1, 2, … for all tokens, those of the cache included. */
  readonly all: Value;
  /** Scalar i64: tokens, those of the cache included. */
  readonly total: Value;
  /** `[batch]` i32: index of the last token. */
  readonly last: Value;
  /** Scalar i32 of `total`. */
  readonly totalInt: Value;
  /** `[batch, 1, length, total]`: added to scores, by window; null sees every token before. */
  readonly masks: ReadonlyMap<number | null, Value>;
}

/** What is added to scores that do not count. Finite, so that a row of padding alone has no NaN. */
const hidden: Readonly<Record<ComputeType, number>> = { f32: -1e30, f16: -60_000 };

/** Reads lengths, positions and masks from `input_ids` and `attention_mask`. */
export function addSequence(
  graph: GraphBuilder,
  { layers }: DecoderConfig,
  compute: ComputeType,
): Sequence {
  graph.within("/sequence");
  const idShape = graph.add("Shape", ["input_ids"]);
  const maskShape = graph.add("Shape", ["attention_mask"]);
  const pick = (shape: Value, index: number): Value =>
    graph.add("Gather", [shape, graph.ints([index], [])]);
  const [length, total] = [pick(idShape, 1), pick(maskShape, 1)];
  const past = graph.add("Sub", [total, length]);
  const [zero, one] = [graph.ints([0], []), graph.ints([1], [])];
  const all = graph.add("Range", [zero, total, one]);
  const inRow = (value: Value): Value => graph.add("Unsqueeze", [value, graph.ints([0])]);
  const newOnes = (value: Value, axis: number): Value =>
    graph.add("Slice", [value, inRow(past), inRow(total), graph.ints([axis])]);
  const counted = graph.add("CumSum", ["attention_mask", one]);
  const positions = graph.add("Max", [graph.add("Sub", [counted, one]), zero]);
  const lastIndex = graph.cast(graph.add("Sub", [total, one]), "i32");
  const batch = inRow(pick(idShape, 0));
  const isHidden = graph.add("Equal", ["attention_mask", zero]);
  const ages = ageOf(graph, newOnes(all, 0), all);
  const shape = { batch, length: inRow(length), total: inRow(total) };
  const windows = [...new Set(layers.map(({ window }) => window))];
  return {
    positions: newOnes(positions, 1),
    all,
    total,
    last: graph.add("Expand", [lastIndex, batch]),
    totalInt: graph.cast(total, "i32"),
    masks: new Map(
      windows.map((window) => [
        window,
        addMask(graph, isHidden, { ...shape, ages, window, compute }),
      ]),
    ),
  };
}

/** How many tokens lie between a query and a key, `[length, total]`. */
function ageOf(graph: GraphBuilder, queries: Value, keys: Value): Value {
  const rows = graph.add("Unsqueeze", [queries, graph.ints([1])]);
  return graph.add("Sub", [rows, graph.add("Unsqueeze", [keys, graph.ints([0])])]);
}

interface MaskOptions {
  readonly batch: Value;
  readonly length: Value;
  readonly total: Value;
  readonly ages: Value;
  readonly window: number | null;
  readonly compute: ComputeType;
}

/**
 * What is added to scores: padding does not count, nor what lies behind a window. That no later
 * token counts, the attention sees to itself. Windows are said so since runtimes have differed by one
 * in what `local_window_size` counts.
 */
function addMask(graph: GraphBuilder, isHidden: Value, options: MaskOptions): Value {
  const { batch, length, total, ages, window, compute } = options;
  const padded = graph.add("Unsqueeze", [isHidden, graph.ints([1, 2])]);
  const tooOld =
    window === null ? null : graph.add("GreaterOrEqual", [ages, graph.ints([window], [])]);
  const unseen = tooOld === null ? padded : graph.add("Or", [padded, tooOld]);
  const added = graph.add("Where", [unseen, graph.floats([hidden[compute]]), graph.floats([0])]);
  const shape = graph.add("Concat", [batch, graph.ints([1]), length, total], {
    attributes: { axis: 0 },
  });
  const mask = graph.add("Expand", [added, shape]);
  return compute === "f32" ? mask : graph.cast(mask, "f16");
}
