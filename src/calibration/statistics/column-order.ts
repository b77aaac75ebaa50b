import type { Tensor } from "../../tensor/tensor.ts";

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

/** Puts the columns of a matrix in order, in place: `w[:, order]`. */
export async function permuteColumns(weight: Tensor<"f32">, order: Int32Array): Promise<void> {
  const columns = order.length;
  const before = new Float32Array(columns);
  await weight.look((values) => {
    for (let row = 0; row < values.length; row += columns) {
      before.set(values.subarray(row, row + columns));
      for (let j = 0; j < columns; j++) values[row + j] = before[order[j]];
    }
  });
}
