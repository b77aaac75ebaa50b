import type { RecipeInput } from "../../recipe/recipe.ts";
import type { TrainConfigInput } from "../../train/pretrain-config.ts";
import type { SweepPoint } from "../results/sweep-results.ts";
import type { GivenCheckpoint } from "./given-checkpoints.ts";
import type { PointEvaluation, SweepRecipe } from "./sweep-recipe.ts";

/** All that has to be done for a point. */
export interface PointWork {
  /** Directory of the original, absolute, or its name on the Hub. */
  readonly model: string;
  /** How it is quantized; `out` stands for a folder of the sweep's. Null where it is not. */
  readonly recipe: RecipeInput | null;
  /** How the original is trained further, where it is. */
  readonly training?: TrainConfigInput;
  /** Directory of a checkpoint that is there already, where that is the point. */
  readonly checkpoint?: string;
  readonly evaluation: PointEvaluation;
}

/** A point of a recipe before it has an id. */
export interface ExpandedPoint {
  readonly point: Omit<SweepPoint, "id">;
  readonly work: PointWork;
  /** The field of the sweep's recipe that it comes from: `variants[1]`. */
  readonly path: string;
  /** The field that names its scheme. */
  readonly schemePath: string;
  /** The checkpoint that it is, where it is there already. */
  readonly given?: GivenCheckpoint;
}

/** What all points of one model have in common. */
export interface Surroundings {
  readonly recipe: SweepRecipe;
  /** Gives the absolute path of one that the recipe names. */
  readonly at: (path: string) => string;
  /** The model's source. */
  readonly source: string;
  readonly evaluation: PointEvaluation;
  /** Id of the model. */
  readonly model: string;
}
