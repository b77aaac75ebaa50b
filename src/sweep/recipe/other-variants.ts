import { z } from "zod";
import { trainConfigSchema } from "../../train/pretrain-config.ts";
import { withoutDefaults } from "../../util/fields.ts";

const text = z.string().min(1);
const label = text.optional();
const models = z.array(text).min(1).optional();

/** A checkpoint that is there already: it is measured like those that the sweep makes. */
export const checkpointVariantSchema = z.strictObject({
  label: label.describe("Name of the variant instead of its methods' ids"),
  checkpoint: text.describe(
    "Directory of a checkpoint that fewbit made, with its run.json; from the recipe's folder",
  ),
  models: models.describe("Id of the model that it was made from; needed where there are several"),
});

/** The original trained further, to compare trained methods with what training alone does. */
export const trainingVariantSchema = z.strictObject({
  label: label.describe("Name of the variant instead of train"),
  train: withoutDefaults(
    trainConfigSchema.omit({ model: true, from: true, tokenizer: true }),
  ).describe("A configuration of fewbit train, without its model; paths from the recipe's folder"),
  models: models.describe("Ids of the models; all unless given"),
});

/** A checkpoint that is there already. */
export type CheckpointVariant = z.output<typeof checkpointVariantSchema>;
/** The original trained further. */
export type TrainingVariant = z.output<typeof trainingVariantSchema>;
