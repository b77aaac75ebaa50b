import { fitHalves } from "../../util/fit-halves.ts";
import { floatsToBfloats } from "../../util/half.ts";
import type { ExportDType } from "./export-format.ts";

/**
 * Rounds a tensor that is not packed to the dtype that it is stored in.
 * @throws NumericError where a value does not fit into float16
 */
export function narrow(
  name: string,
  values: Float32Array,
  dtype: ExportDType,
): Float32Array | Uint16Array {
  if (dtype === "f32") return values;
  if (dtype === "bf16") return floatsToBfloats(values);
  const hint = "export in bf16 or f32 (`dtype`)";
  return fitHalves(values, { what: `values of ${name}`, hint, field: "dtype", value: dtype });
}
