import { z } from "zod";
import type { Method, MethodRole } from "../../methods/define-method.ts";
import { methodsInRole } from "../../methods/index.ts";
import { blockFormats } from "../../quant/blocks/index.ts";
import { grids } from "../../quant/grids/index.ts";
import { mixtures } from "../../quant/mixtures.ts";
import { schemeSchema, tableSchema } from "../../recipe/recipe.ts";
import { storedTable } from "../../recipe/settle-tables.ts";
import {
  finisherStepSchema,
  startStepSchema,
  sweepRecipeSchema,
  transformStepSchema,
  variantSchema,
} from "./sweep-recipe.ts";

const mixtureNames = mixtures.map(({ name }) => name);

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * Returns the JSON schema of a sweep's recipe, which editors complete and check by. What methods
 * there are, and which options each has, comes from the methods themselves.
 */
export function sweepJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(sweepRecipeSchema, {
    io: "input",
    override({ zodSchema, jsonSchema }) {
      if (zodSchema === schemeSchema) jsonSchema.pattern = schemePattern(mixtureNames);
      if (zodSchema === tableSchema) jsonSchema.pattern = schemePattern([storedTable]);
      if (zodSchema === variantSchema) jsonSchema.allOf = quantizerOptions();
      if (zodSchema === startStepSchema) jsonSchema.allOf = stepOptions("quantizer");
      if (zodSchema === transformStepSchema) jsonSchema.allOf = stepOptions("transform");
      if (zodSchema === finisherStepSchema) jsonSchema.allOf = stepOptions("finisher");
    },
  });
  return { ...schema, title: "Recipe of a fewbit sweep" };
}

/**
 * What a scheme id looks like, and other words that may stand there; which of the ids there are is
 * checked when the recipe is read.
 */
function schemePattern(others: readonly string[]): string {
  const bits = [...new Set(grids.map((grid) => String(grid.bits)))];
  const names = [...new Set(grids.map((grid) => grid.id))];
  const choice = (values: readonly string[]): string =>
    values.map((value) => value.replaceAll(".", "\\.")).join("|");
  const grid = choice(["asym", ...names]);
  const planar = `w(${choice(bits)})(g[0-9]+)?(-(${grid}))*(-s[0-9]+(\\.[0-9]+)?)?(a(4|6|8(-(static|integer))?))?`;
  return `^(${planar}|${choice([...blockFormats.map(({ id }) => id), ...others])})$`;
}

/** If the method of a variant is this one, its options are these. */
function quantizerOptions(): JsonSchema[] {
  return methodsInRole("quantizer").map((method) => {
    const lists = Object.entries(propertiesOf(method)).map(([name, items]) => [
      name,
      { type: "array", items },
    ]);
    const grid = { properties: Object.fromEntries(lists), additionalProperties: false };
    return ifMethod(method, { options: optionsOf(method), grid });
  });
}

function stepOptions(role: MethodRole): JsonSchema[] {
  return methodsInRole(role).map((method) => ifMethod(method, { options: optionsOf(method) }));
}

/** What fields are where `method` is this one; where it is another, nothing is said. */
function ifMethod({ id }: Method, properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const is = { properties: { method: { const: id } }, required: ["method"] };
  return { anyOf: [{ not: is }, { properties }] };
}

function optionsOf(method: Method): JsonSchema {
  return { properties: propertiesOf(method), additionalProperties: false };
}

function propertiesOf(method: Method): Readonly<Record<string, JsonSchema>> {
  const { properties = {} } = z.toJSONSchema(method.options, { io: "input" });
  return properties as Readonly<Record<string, JsonSchema>>;
}
