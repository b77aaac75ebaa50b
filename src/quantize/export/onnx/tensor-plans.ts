import type { Checkpoint } from "../../../formats/checkpoint.ts";
import type { OnnxDataEntry } from "../../../formats/onnx/onnx-data.ts";
import { type OnnxType, onnxTypeBytes } from "../../../formats/onnx/onnx-types.ts";
import type { QuantizedModule } from "../../../formats/quantization-config.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import { expectedTensors, storedForms } from "../../../models/decoder-tensors.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import { Scratch } from "../../../util/scratch.ts";
import { openRows } from "../gguf/tensor-rows.ts";
import type { SourceTensor } from "../gguf/list-tensors.ts";
import { type ComputeType, type PackedPlan, packedBytes, planPacked } from "./matrix-plan.ts";

/** How floats are written. */
export interface FloatPlan {
  readonly kind: "float";
  readonly type: OnnxType;
  /** Whether the bytes of the checkpoint are copied. */
  readonly isCopy: boolean;
  readonly isExact: boolean;
}

/** A tensor of the model and how it is written. */
export interface TensorPlan extends SourceTensor {
  readonly stored: PackedPlan | FloatPlan;
}

/** Parts of the data of a packed weight. */
export const packedParts = ["codes", "scales", "zeros"] as const;

/** The name of the data of a tensor, or of a part of it. */
export function dataName(source: string, part: "floats" | (typeof packedParts)[number]): string {
  return part === "floats" ? source : `${source}.${part}`;
}

/** Names of the tensors of a packed weight in the graph; those of zero points null without them. */
export function packedNames(
  { source }: Pick<TensorPlan, "source">,
  { bits, zeros }: PackedPlan,
): { readonly codes: string; readonly scales: string; readonly zeros: string | null } {
  return {
    codes: `${source}_Q${bits}`,
    scales: `${source}_scales`,
    zeros: zeros === "none" ? null : `${source}_zero_points`,
  };
}

/** The name of codes in the shape in which rows are looked up; that of a head has another shape. */
export function rowsName(codes: string): string {
  return `${codes}_rows`;
}

/**
 * Decides how each tensor of a model is written.
 * @param requantize lets scales and zero points be rounded
 * @throws UnsupportedError for a weight that `MatMulNBits` does not hold
 */
export async function planTensors(
  checkpoint: Checkpoint,
  modules: ReadonlyMap<string, QuantizedModule>,
  config: DecoderConfig,
  { compute, requantize }: { readonly compute: ComputeType; readonly requantize: boolean },
): Promise<ReadonlyMap<string, TensorPlan>> {
  const plans = new Map<string, TensorPlan>();
  const forms = storedForms(config);
  const scratch = new Scratch();
  for (const [source, shape] of expectedTensors(config)) {
    const module = source.replace(/\.(?:weight|bias)$/, "");
    const packed = (source.endsWith(".weight") && modules.get(module)) || null;
    const dtype = packed ? null : checkpoint.info(source).dtype;
    const form = packed ? null : (forms.get(source) ?? null);
    const tensor: SourceTensor = { source, module, shape, packed, dtype, form };
    const stored = packed
      ? await decidePacked(checkpoint, tensor, { compute, requantize }, scratch)
      : decideFloats(tensor, isVector(source, shape, config), compute);
    plans.set(source, { ...tensor, stored });
  }
  return plans;
}

/** Norms and biases, which are computed with in float32; matrices are multiplied by, or looked up. */
function isVector(source: string, shape: readonly number[], { names }: DecoderConfig): boolean {
  const norms = Object.values(names.norms);
  return shape.length < 2 || norms.some((norm) => source.endsWith(`.${norm}.weight`));
}

async function decidePacked(
  checkpoint: Checkpoint,
  tensor: SourceTensor,
  { compute, requantize }: { readonly compute: ComputeType; readonly requantize: boolean },
  scratch: Scratch,
): Promise<PackedPlan> {
  const scheme = tensor.packed?.scheme.id;
  const { affine, packed } = await openRows(checkpoint, tensor, scratch);
  if (!affine || packed?.parts.sparse) {
    throw new UnsupportedError(
      `${tensor.module} has the scheme ${scheme}: no operator of ONNX Runtime computes with it`,
      { hint: "quantize to a scheme of integers, such as w4g64, or export with `format: hf`" },
    );
  }
  const plan = planPacked(affine, compute, scratch);
  if (plan.kind === "fault") {
    throw new UnsupportedError(`${tensor.module} has the scheme ${scheme}: ${plan.why}`, {
      hint: plan.hint,
    });
  }
  if (plan.isExact || requantize) return plan;
  const what = plan.zeros === "float" ? "scales or zero points" : "scales";
  const exact = compute === "f16" ? "`dtype: f32` may hold them; or " : "";
  throw new UnsupportedError(
    `${tensor.module} has the scheme ${scheme}: its ${what} are no ${compute === "f16" ? "float16" : "float32"} values`,
    { hint: `${exact}let them be rounded once (\`requantize\`)` },
  );
}

function decideFloats(
  { source, dtype, form }: SourceTensor,
  isNorm: boolean,
  compute: ComputeType,
): FloatPlan {
  if (dtype !== "f32" && dtype !== "f16" && dtype !== "bf16" && dtype !== "f64") {
    throw new UnsupportedError(`tensor ${source} is ${dtype}: weights must be floats`);
  }
  const isWhole = dtype !== "f64";
  if (isNorm) return { kind: "float", type: "f32", isCopy: false, isExact: isWhole };
  if (compute === "f16") {
    const isCopy = dtype === "f16" && !form;
    return { kind: "float", type: "f16", isCopy, isExact: dtype === "f16" };
  }
  // What is stored in 16 bits stays so, and is widened where it is read.
  if (isWhole && !form) return { kind: "float", type: dtype, isCopy: true, isExact: true };
  return { kind: "float", type: "f32", isCopy: false, isExact: isWhole };
}

/** Lists the data of a model: what lies outside of its graph. */
export function* dataEntries(plans: Iterable<TensorPlan>): Generator<OnnxDataEntry> {
  for (const { source, shape, stored } of plans) {
    if (stored.kind === "float") {
      const count = shape.reduce((a, b) => a * b, 1);
      yield { name: dataName(source, "floats"), sizeBytes: count * onnxTypeBytes[stored.type] };
      continue;
    }
    const sizes = packedBytes(stored, shape[0]);
    for (const part of packedParts) {
      if (sizes[part] > 0) yield { name: dataName(source, part), sizeBytes: sizes[part] };
    }
  }
}
