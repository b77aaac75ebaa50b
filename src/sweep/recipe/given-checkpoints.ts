import { readJsonObject } from "../../formats/json-file.ts";
import { joinPath, status } from "../../platform/node.ts";
import { parseRecipe } from "../../recipe/parse-recipe.ts";
import type { RecipeInput } from "../../recipe/recipe.ts";
import { FormatError } from "../../util/errors.ts";
import type { CheckpointRecord } from "../results/sweep-results.ts";
import { faultAt } from "./recipe-source.ts";
import type { SweepRecipe } from "./sweep-recipe.ts";

/** A checkpoint that a recipe names. */
export interface GivenCheckpoint {
  readonly directory: string;
  /** What its `run.json` says. */
  readonly run: CheckpointRecord;
}

/**
 * Reads the records of the checkpoints that a recipe names, by the index of the variant.
 * @throws UsageError that names the field where there is no such checkpoint or record
 */
export async function readGivenCheckpoints(
  { variants }: SweepRecipe,
  at: (path: string) => string,
): Promise<Map<number, GivenCheckpoint>> {
  const given = new Map<number, GivenCheckpoint>();
  for (const [index, variant] of variants.entries()) {
    if (!("checkpoint" in variant)) continue;
    try {
      given.set(index, await readGivenCheckpoint(at(variant.checkpoint)));
    } catch (error) {
      throw faultAt(`variants[${index}].checkpoint`, error);
    }
  }
  return given;
}

async function readGivenCheckpoint(directory: string): Promise<GivenCheckpoint> {
  if ((await status(directory))?.kind !== "directory") {
    throw new FormatError(`there is no directory ${directory}`, {
      hint: "paths are relative to the recipe's folder",
    });
  }
  return { directory, run: await readCheckpointRecord(directory) };
}

/** Reads a checkpoint's `run.json`. @throws FormatError when there is no such record */
export async function readCheckpointRecord(directory: string): Promise<CheckpointRecord> {
  const record = await readJsonObject(joinPath(directory, "run.json"));
  if (record["kind"] !== "train") parseRecipe((record["recipe"] ?? {}) as RecipeInput);
  return record as unknown as CheckpointRecord;
}
