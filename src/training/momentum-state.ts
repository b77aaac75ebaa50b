import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import type { Parameter } from "./parameter.ts";

/**
 * What an optimizer keeps of earlier gradients: zeros of each parameter's shape, by the parameter's
 * name and `suffix`. Empty when the momentum is 0.
 * @throws UsageError when the momentum is not in [0, 1)
 */
export function momentumState(
  parameters: readonly Parameter[],
  momentum: number,
  suffix: string,
): ReadonlyMap<string, Tensor<"f32">> {
  if (!(momentum >= 0 && momentum < 1)) {
    throw new UsageError(`expected a momentum in [0, 1), got ${momentum}`);
  }
  const kept = momentum === 0 ? [] : parameters;
  return new Map(
    kept.map(({ name, value: { backend, shape } }) => [
      `${name}:${suffix}`,
      Tensor.zeros(backend, "f32", shape),
    ]),
  );
}
