import type { Backend } from "../backend/backend.ts";
import type { TapePrecision } from "../tensor/tape.ts";

/** Precision of products in training; `auto` is bfloat16 where the backend is fast at it. */
export function choosePrecision(
  precision: TapePrecision | "auto",
  { hasFastBfloat16 }: Backend,
): TapePrecision {
  if (precision !== "auto") return precision;
  return hasFastBfloat16 ? "bf16" : "f32";
}
