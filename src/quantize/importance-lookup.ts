import { columnImportance, expertEntry, type Imatrix } from "../formats/imatrix/imatrix.ts";
import { readImatrix } from "../formats/imatrix/read-imatrix.ts";
import {
  type CheckpointNames,
  type GgufModulePlace,
  GgufNames,
} from "../formats/gguf/tensor-names.ts";
import type { ImportanceLookup } from "../run/quantization-job.ts";
import type { PlannedLinear } from "../run/plan.ts";
import { formatCount } from "../formats/wording.ts";

/**
 * Reads the importance of the layers that are to have schemes of blocks from a file. A layer that
 * the file does not have, or to which no token came, is quantized without; a column whose inputs
 * were all 0 counts as the least important of its layer.
 * @throws FormatError when it is no file of importance, or one of another model
 */
export async function readImportance(
  path: string,
  linears: readonly PlannedLinear[],
  names: CheckpointNames,
): Promise<ImportanceLookup> {
  const imatrix = await readImatrix(path);
  const own = new GgufNames(names);
  const found = new Map<string, Float32Array>();
  const faults = { layers: 0, columns: 0 };
  for (const { module, inFeatures, scheme } of linears) {
    if (!scheme?.blocks) continue;
    const { name = module, expert = null } = own.place(module) ?? {};
    const importance = importanceOf(path, imatrix, { name: `${name}.weight`, expert }, inFeatures);
    if (importance) found.set(module, importance.values);
    else faults.layers++;
    faults.columns += importance?.unseen ?? 0;
  }
  return { of: (module) => found.get(module) ?? null, notices: noticesOf(path, faults) };
}

function importanceOf(
  path: string,
  { entries }: Imatrix,
  { name, expert }: GgufModulePlace,
  columns: number,
) {
  const entry = entries.get(name);
  if (!entry) return null;
  const own = expert === null ? entry : expertEntry(entry, expert, columns);
  return columnImportance(path, name, own, columns);
}

function noticesOf(path: string, { layers, columns }: { layers: number; columns: number }) {
  const notices: string[] = [];
  if (layers > 0) {
    const which = layers === 1 ? "1 layer is" : `${formatCount(layers)} layers are`;
    notices.push(`${which} quantized without importance: ${path} does not have it`);
  }
  if (columns > 0) {
    notices.push(
      `${formatCount(columns)} columns had no inputs but 0 when ${path} was made: they count as ` +
        "the least important of their layers",
    );
  }
  return notices;
}
