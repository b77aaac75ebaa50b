import type { Products } from "../../../backend/packed-operand.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import { FormatError } from "../../../util/errors.ts";
import type { GraphBuilder, Value } from "./graph-builder.ts";
import { type ComputeType, type PackedPlan, packedBytes } from "./matrix-plan.ts";
import { dataName, packedNames, rowsName, type TensorPlan } from "./tensor-plans.ts";

/** What the parts of a graph are built from. */
export interface DecoderParts {
  readonly graph: GraphBuilder;
  readonly config: DecoderConfig;
  readonly compute: ComputeType;
  /** `fast` lets packed products round their inputs to 8 bits. */
  readonly products: Products;
  /** By the names of tensors in the checkpoint. */
  readonly plans: ReadonlyMap<string, TensorPlan>;
}

/** The `accuracy_level` of MatMulNBits whose kernels multiply integers. */
const roundsInputs = 4;

/** A vector, float32. */
export function addVector({ graph, plans }: DecoderParts, source: string): Value {
  const { shape } = planOf(plans, source);
  return graph.weight({ name: source, type: "f32", shape, data: dataName(source, "floats") });
}

/** Multiplies `[batch, length, in]` by a weight, and adds the bias where there is one. */
export function addLinear(
  parts: DecoderParts,
  input: Value,
  module: string,
  { bias = false, name = module }: { readonly bias?: boolean; readonly name?: string } = {},
): Value {
  const { graph, compute } = parts;
  const { stored, shape } = planOf(parts.plans, `${module}.weight`);
  const product =
    stored.kind === "packed"
      ? addPackedProduct(parts, input, { module, stored, shape })
      : graph.add("MatMul", [input, addTransposed(parts, module)]);
  if (!bias) return product;
  const added = addVector(parts, `${name}.bias`);
  return graph.add("Add", [product, compute === "f32" ? added : graph.cast(added, compute)]);
}

/** A float matrix `[in, out]`: runtimes widen and turn it once, when they load the model. */
function addTransposed({ graph, plans, compute }: DecoderParts, module: string): Value {
  const source = `${module}.weight`;
  const { shape, stored } = planOf(plans, source);
  const type = stored.kind === "float" ? stored.type : compute;
  const stands = graph.weight({ name: source, type, shape, data: dataName(source, "floats") });
  const wide = type === compute ? stands : graph.cast(stands, compute);
  return graph.add("Transpose", [wide], { attributes: { perm: [1, 0] } });
}

interface PackedProduct {
  readonly module: string;
  readonly stored: PackedPlan;
  readonly shape: readonly number[];
}

function addPackedProduct(
  parts: DecoderParts,
  input: Value,
  { module, stored, shape: [rows, columns] }: PackedProduct,
): Value {
  const { graph } = parts;
  const { bits, blockSize, blocks } = stored;
  const source = `${module}.weight`;
  const codes = graph.weight({
    name: packedNames({ source }, stored).codes,
    type: "u8",
    shape: [rows, blocks, (blockSize * bits) / 8],
    data: dataName(source, "codes"),
  });
  const beside = addScales(graph, source, stored, rows);
  return graph.add("MatMulNBits", [input, codes, ...beside], {
    domain: "com.microsoft",
    attributes: {
      K: columns,
      N: rows,
      bits,
      block_size: blockSize,
      ...(parts.products === "fast" && { accuracy_level: roundsInputs }),
    },
  });
}

/** Scales, and zero points where there are any; a table that is a head, too, shares them. */
function addScales(graph: GraphBuilder, source: string, plan: PackedPlan, rows: number): Value[] {
  const { blocks, zeros, compute } = plan;
  const names = packedNames({ source }, plan);
  const scales = graph.weight({
    name: names.scales,
    type: compute,
    shape: [rows, blocks],
    data: dataName(source, "scales"),
  });
  if (names.zeros === null) return [scales];
  const width = packedBytes(plan, 1).zeros;
  const points = graph.weight({
    name: names.zeros,
    type: zeros === "integer" ? "u8" : compute,
    shape: [rows, zeros === "integer" ? width : blocks],
    data: dataName(source, "zeros"),
  });
  return [scales, points];
}

/** Looks up the rows of a table, `[batch, length, width]` float32. */
export function addLookUp(parts: DecoderParts, module: string, rows: Value): Value {
  const { graph, plans } = parts;
  const source = `${module}.weight`;
  const { shape, stored } = planOf(plans, source);
  if (stored.kind === "float") {
    const { type } = stored;
    const table = graph.weight({ name: source, type, shape, data: dataName(source, "floats") });
    const found = graph.add("Gather", [table, rows], { attributes: { axis: 0 } });
    return type === "f32" ? found : graph.cast(found, "f32");
  }
  const { bits, blockSize, blocks, compute } = stored;
  const codes = graph.weight({
    name: rowsName(packedNames({ source }, stored).codes),
    type: "u8",
    shape: [shape[0], (blocks * blockSize * bits) / 8],
    data: dataName(source, "codes"),
  });
  const found = graph.add(
    "GatherBlockQuantized",
    [codes, rows, ...addScales(graph, source, stored, shape[0])],
    {
      domain: "com.microsoft",
      attributes: { bits, block_size: blockSize, gather_axis: 0, quantize_axis: 1 },
    },
  );
  return compute === "f32" ? found : graph.cast(found, "f32");
}

/** Multiplies by a number, of the type of the value; nothing is done for 1. */
export function addFactor(graph: GraphBuilder, value: Value, factor: number): Value {
  return factor === 1 ? value : graph.add("Mul", [value, graph.floats([factor])]);
}

function planOf(plans: ReadonlyMap<string, TensorPlan>, source: string): TensorPlan {
  const plan = plans.get(source);
  if (plan) return plan;
  throw new FormatError(`the checkpoint has no tensor ${source}`);
}
