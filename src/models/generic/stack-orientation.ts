import type { StoredTensor } from "./judged-tensor.ts";

/** Which sides of the matrices of a stack `[matrices, rows, columns]` are outputs and inputs. */
export type Orientation = "[out, in]" | "[in, out]";

/** Names of what leads from the width inside an expert back to the hidden state. */
const leadsBack = /down|output|(?:^|[._])(?:w2|wo|c_proj|fc2|dense_4h_to_h)(?:[._]|$)/;

/**
 * Finds out how stacks of experts are stored: programs differ in it. One side is the width of the
 * hidden state: of what leads back to it the output, of all others the input. Stacks below one
 * module are stored alike, so that one whose sides are equal follows the others.
 * @returns orientations by the names of tensors; without those that cannot be told
 */
export function findOrientations(
  tensors: readonly StoredTensor[],
  hiddenSize: number | null,
): ReadonlyMap<string, Orientation> {
  const found = new Map<string, Orientation>();
  if (hiddenSize === null) return found;
  for (const stacks of byParent(tensors)) {
    const votes = new Set(stacks.flatMap((stack) => vote(stack, hiddenSize) ?? []));
    const [orientation] = votes;
    if (votes.size !== 1) continue;
    for (const { name, shape } of stacks) {
      if (shape.slice(1).includes(hiddenSize)) found.set(name, orientation);
    }
  }
  return found;
}

/** What the sides of one stack say; null where both or neither are the width. */
function vote({ name, shape: [, rows, columns] }: StoredTensor, width: number): Orientation | null {
  if ((rows === width) === (columns === width)) return null;
  const last =
    name
      .replace(/\.weight$/, "")
      .split(".")
      .at(-1) ?? "";
  return leadsBack.test(last) === (rows === width) ? "[out, in]" : "[in, out]";
}

function byParent(tensors: readonly StoredTensor[]): StoredTensor[][] {
  const parents = new Map<string, StoredTensor[]>();
  for (const tensor of tensors) {
    if (tensor.shape.length !== 3) continue;
    const module = tensor.name.replace(/\.weight$/, "");
    const parent = module.slice(0, module.lastIndexOf("."));
    parents.set(parent, [...(parents.get(parent) ?? []), tensor]);
  }
  return [...parents.values()];
}
