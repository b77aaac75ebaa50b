import type { Shape } from "../../tensor/shape.ts";
import type { GenericConfig } from "./generic-config.ts";

/** Why a matrix is kept that its name tells to be no linear layer of the language model. */
export interface KeptByName {
  readonly reason: string;
  /** Whether it is quantized all the same where a recipe names it. */
  readonly onRequest: boolean;
}

const tower =
  /(?:^|[._])(?:vision|visual|image|img|audio|speech|video|vit|clip|siglip)(?=[._]|$)|mm_projector|multi_modal|multimodal/i;
const table = /embed|^w[tp]e$|(?:^|_)(?:lm_)?head$/;
const norm = /norm|^ln(?:$|_|\d)|_ln$|layer_?scale/i;
const bias = /bias$/;
const router = /router|^(?:gate|wg|gating|shared_expert_gate)$/;

/** What surrounds a matrix. */
interface Surroundings {
  readonly config: GenericConfig;
  /** Whether anything in the checkpoint is called an expert. */
  readonly hasExperts: boolean;
}

/**
 * Says whether a matrix is no linear layer by its name: a norm, a bias or table of positions, a
 * table of the vocabulary, a router of experts, or a part of a tower for images or sound.
 * @returns null when nothing speaks against it
 */
export function keptByName(module: string, shape: Shape, around: Surroundings): KeptByName | null {
  const parts = module.split(".");
  const last = parts.at(-1) ?? "";
  if (norm.test(last)) return { reason: "norm", onRequest: false };
  if (bias.test(last)) return { reason: "bias", onRequest: false };
  if (isRouter(parts, shape, around)) return { reason: "router of experts", onRequest: false };
  if (table.test(last)) return { reason: "table or head", onRequest: false };
  if (tower.test(module)) return { reason: "tower for images or sound", onRequest: true };
  return null;
}

/**
 * A router is called so (`mlp.router.layer`); a `gate` beside experts is one, with as many rows as a
 * field counts of them, or else few.
 */
function isRouter(
  parts: readonly string[],
  [rows = 0, columns = 0]: Shape,
  { config, hasExperts }: Surroundings,
): boolean {
  if (parts.some((part) => /router/.test(part))) return true;
  const last = parts.at(-1) ?? "";
  if (!hasExperts || parts.includes("experts") || !router.test(last)) return false;
  return config.experts.includes(rows) || rows < columns / 2;
}
