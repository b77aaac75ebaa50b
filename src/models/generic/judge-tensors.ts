import type { VocabularyRole } from "../../nn/quantizable-model.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { GenericConfig } from "./generic-config.ts";
import type { GenericMatrix, JudgedTensor, StoredTensor } from "./judged-tensor.ts";
import { keptByName } from "./kept-by-name.ts";
import { findOrientations, type Orientation } from "./stack-orientation.ts";

const floats = new Set(["f32", "f16", "bf16"]);
/** Smaller sides are those of gates and factors, not of layers. */
const leastSide = 8;
/** Rows that tables are padded with. */
const mostPadding = 1024;

/** Where a name stands: in a numbered block, under a name of its own there, or around the blocks. */
interface Place {
  readonly block: string | null;
  readonly slot: string;
}

/**
 * Judges all tensors of a checkpoint by name, shape and dtype alone. What looks like a linear layer:
 * a float matrix `[out, in]` by the name `….weight` in a numbered block, no side of which is
 * small, that is none of what `keptByName` knows; or a stack of such matrices.
 */
export function judgeTensors(
  tensors: Iterable<StoredTensor>,
  config: GenericConfig,
): JudgedTensor[] {
  const all = [...tensors];
  const hasExperts =
    config.experts.some((count) => count > 1) || all.some(({ name }) => /expert/.test(name));
  const orientations = findOrientations(all, config.hiddenSize);
  const blocks = numberBlocks(all);
  const judged = all.map((tensor) => {
    const orientation = orientations.get(tensor.name) ?? null;
    return judge(tensor, { config, hasExperts, orientation, blocks });
  });
  return withTiedHead(judged);
}

interface Surroundings {
  readonly config: GenericConfig;
  readonly hasExperts: boolean;
  /** How the matrices of a stack are stored; null: not known, or no stack. */
  readonly orientation: Orientation | null;
  readonly blocks: ReadonlyMap<string, number>;
}

function judge(tensor: StoredTensor, around: Surroundings): JudgedTensor {
  const { dtype, shape, name } = tensor;
  const kept = (reason: string): JudgedTensor => ({ ...tensor, matrix: null, roles: [], reason });
  if (!floats.has(dtype)) return kept(`${dtype.toUpperCase()} values`);
  if (shape.length < 2) return kept("vector");
  const module = moduleOf(name);
  const place = placeOf(name);
  const roles = place.block === null ? rolesOf(tensor, module, around.config) : [];
  if (roles.length > 0) return { ...tensor, matrix: null, roles, reason: roles.join(", ") };
  const named = keptByName(module, shape, around);
  if (named && !named.onRequest) return kept(named.reason);
  if (shape.length === 3) return judgeStack(tensor, place, around, named?.reason ?? null);
  if (shape.length > 3) return kept(`${shape.length} dimensions`);
  if (!name.endsWith(".weight")) return kept("not a weight by its name");
  const [outFeatures, inFeatures] = shape;
  if (isTurned(module, shape, around.config)) return kept("stored as [in, out]");
  const matrix = matrixAt(module, place, around, { outFeatures, inFeatures, stack: null });
  const reason = named?.reason ?? reasonOfPlace(place, outFeatures, inFeatures);
  return { ...tensor, matrix, roles, reason };
}

function judgeStack(
  tensor: StoredTensor,
  place: Place,
  around: Surroundings,
  named: string | null,
): JudgedTensor {
  const { orientation } = around;
  const [matrices, rows, columns] = tensor.shape;
  const kept = (reason: string): JudgedTensor => ({ ...tensor, matrix: null, roles: [], reason });
  if (place.block === null || !/expert|moe/.test(tensor.name)) return kept("3 dimensions");
  if (orientation === null) return kept("stack of matrices, which side is the input is not known");
  const transposed = orientation === "[in, out]";
  const outFeatures = transposed ? columns : rows;
  const inFeatures = transposed ? rows : columns;
  const stack = { matrices, transposed };
  const matrix = matrixAt(moduleOf(tensor.name), place, around, { outFeatures, inFeatures, stack });
  const reason = named ?? reasonOfPlace(place, outFeatures, inFeatures);
  return { ...tensor, matrix, roles: [], reason };
}

function matrixAt(
  module: string,
  { block, slot }: Place,
  { blocks }: Surroundings,
  size: Pick<GenericMatrix, "outFeatures" | "inFeatures" | "stack">,
): GenericMatrix {
  return { module, slot, block: blocks.get(block ?? "") ?? blocks.size, ...size };
}

function reasonOfPlace({ block }: Place, rows: number, columns: number): string | null {
  if (block === null) return "outside the blocks";
  return Math.min(rows, columns) < leastSide ? `a side below ${leastSide}` : null;
}

/** What a matrix around the blocks serves as, by its name and by the size of the vocabulary. */
function rolesOf(
  { name, shape }: StoredTensor,
  module: string,
  { vocabularySize }: GenericConfig,
): readonly VocabularyRole[] {
  if (shape.length !== 2 || !name.endsWith(".weight")) return [];
  const [rows] = shape;
  const last = lastPart(module);
  const excess = vocabularySize === null ? 0 : rows - vocabularySize;
  if (excess < 0 || excess > mostPadding) return [];
  if (/(?:^|_)head$|^embed_out$|^output(?:_layer|_projection)?$|unembed/.test(last)) {
    return ["head"];
  }
  return /^(?!.*pos).*embed|^wte$|^shared$/.test(last) ? ["embedding"] : [];
}

/** Without a head of its own, the embedding is one, too. */
function withTiedHead(judged: JudgedTensor[]): JudgedTensor[] {
  if (judged.some(({ roles }) => roles.includes("head"))) return judged;
  return judged.map((tensor) =>
    tensor.roles.includes("embedding")
      ? { ...tensor, roles: ["embedding", "head"], reason: "embedding, head" }
      : tensor,
  );
}

/** Whether a matrix by a name of GPT-2's has its input first, as its Conv1D has. */
function isTurned(module: string, [rows, columns]: Shape, { hiddenSize }: GenericConfig): boolean {
  if (!/^(?:c_attn|c_fc|q_attn)$/.test(lastPart(module)) || hiddenSize === null) return false;
  return rows === hiddenSize && columns !== hiddenSize;
}

/** Numbers the blocks in the order of their numbers, tower after tower. */
function numberBlocks(tensors: readonly StoredTensor[]): ReadonlyMap<string, number> {
  const names = new Set(tensors.flatMap(({ name }) => placeOf(name).block ?? []));
  const towers = new Map<string, string[]>();
  for (const name of names) {
    const tower = name.slice(0, name.lastIndexOf(".") + 1);
    towers.set(tower, [...(towers.get(tower) ?? []), name]);
  }
  const number = (name: string): number => Number(lastPart(name));
  const ordered = [...towers.values()].flatMap((tower) =>
    tower.toSorted((a, b) => number(a) - number(b)),
  );
  return new Map(ordered.map((name, index) => [name, index]));
}

function placeOf(name: string): Place {
  const module = moduleOf(name);
  const [, block, slot] = /^((?:.*?\.)?\d+)\.(.+)$/.exec(module) ?? [];
  return block === undefined ? { block: null, slot: module } : { block, slot };
}

function moduleOf(name: string): string {
  return name.replace(/\.weight$/, "");
}

function lastPart(module: string): string {
  return module.slice(module.lastIndexOf(".") + 1);
}
