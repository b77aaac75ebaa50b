import { Tensor } from "../../tensor/tensor.ts";

/** Columns by falling energy (diagonal of the Hessian); ties keep their order. */
export function activationOrder(energies: Float64Array): Int32Array {
  return Int32Array.from(energies.keys()).sort((a, b) => energies[b] - energies[a] || a - b);
}

/**
 * Group-aware reordering: columns by falling energy inside each group, groups by their largest
 * energy. Groups stay whole, so that the stored weight needs no column index. Of several sizes each
 * divides the one before: blocks are ordered, the groups in each, and the columns in each of these.
 */
export function groupAwareOrder(
  energies: Float64Array,
  ...groupSizes: readonly number[]
): Int32Array {
  return Int32Array.from(gatherGroups([...activationOrder(energies)], groupSizes));
}

/** Gathers columns into groups, in the order of the first column that each has. */
function gatherGroups(columns: readonly number[], sizes: readonly number[]): readonly number[] {
  if (sizes.length === 0) return columns;
  const [size, ...rest] = sizes;
  const groups = new Map<number, number[]>();
  for (const column of columns) {
    const group = Math.floor(column / size);
    const members = groups.get(group);
    if (members) members.push(column);
    else groups.set(group, [column]);
  }
  return [...groups.values()].flatMap((members) => gatherGroups(members, rest));
}

/** Returns `w[:, order]` of a matrix. */
export async function permuteColumns(
  weight: Tensor<"f32">,
  order: Int32Array,
): Promise<Tensor<"f32">> {
  const { backend, shape } = weight;
  const columns = order.length;
  return Tensor.fill(backend, "f32", shape, (out) =>
    weight.look((values) => {
      for (let row = 0; row < values.length; row += columns) {
        for (let j = 0; j < columns; j++) out[row + j] = values[row + order[j]];
      }
    }),
  );
}

/** Returns `h[order, order]` of a symmetric matrix of which only the lower triangle is read. */
export async function permuteSymmetric(
  h: Tensor<"f64">,
  order: Int32Array,
): Promise<Tensor<"f64">> {
  const n = order.length;
  return Tensor.fill(h.backend, "f64", h.shape, (out) =>
    h.look((values) => {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          const row = Math.max(order[i], order[j]);
          const column = Math.min(order[i], order[j]);
          const value = values[row * n + column];
          out[i * n + j] = value;
          out[j * n + i] = value;
        }
      }
    }),
  );
}
