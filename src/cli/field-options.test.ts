import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type RecipeInput, recipeFields } from "../recipe/recipe.ts";
import { recipeWords } from "../sweep/recipe/reproduce-command.ts";
import { elementOf } from "../util/field-words.ts";
import type { Field } from "../util/fields.ts";
import { addFieldOptions, flagNames, readFields } from "./field-options.ts";

const chain = { method: "gptq", scheme: "w4g32" } as const;

function parse(words: readonly string[]): Command {
  const command = new Command().argument("<model>").exitOverride();
  addFieldOptions(command, recipeFields);
  return command.parse(words, { from: "user" });
}

/** A value that a field does not have by itself. */
function valueFor(field: Field): unknown {
  const { schema, choices } = field;
  const element = elementOf(field);
  const isList = schema instanceof z.ZodArray;
  if (choices) return isList ? choices : choices.at(-1);
  if (schema instanceof z.ZodBoolean) return field.byDefault !== true;
  if (schema instanceof z.ZodNumber) return 7;
  if (schema instanceof z.ZodEnum) return schema.options.at(-1);
  if (!(element instanceof z.ZodObject)) return isList ? ["a b", "c=1"] : "a b";
  const [first, second] = Object.keys(element.shape);
  if (field.unit?.includes("[")) return [{ [first]: "a=b" }, { [first]: "c d", [second]: 0.5 }];
  return [{ [first]: "re:a=b", [second]: "w2" }];
}

/** The recipe that a field's value stands in, and what a command line says of it. */
function recipeWith({ path }: Field, value: unknown): { recipe: RecipeInput; given: object } {
  const [first, second] = path;
  const said = second === undefined ? value : { [second]: value };
  const steps = Array.isArray(value) ? value.map((method: string) => ({ method })) : [];
  const finishers = [{ method: "e2e-qp" as const, data: said as RecipeInput["calibration"] }];
  const own: Record<string, object> = {
    transforms: { transforms: steps },
    finishers: { finishers: steps },
    finishText: { finishers },
  };
  return {
    recipe: { ...chain, model: "model", out: "out", ...(own[first] ?? { [first]: said }) },
    given: { [first]: said, ...(first === "finishText" && { finishers: ["e2e-qp"] }) },
  };
}

describe("the fields of a recipe", () => {
  test.each(recipeFields.map((field) => [field.flag, field] as const))(
    "--%s is read as what the command that reproduces a recipe says",
    (_, field) => {
      const { recipe, given } = recipeWith(field, valueFor(field));
      const out = field.flag === "out" ? "a b" : "made";
      const command = parse(recipeWords(recipe, out, (path) => path));
      expect(readFields(command)).toEqual({ ...chain, ...given, out });
    },
  );

  test("all but the model and the options of methods can be said, each by a flag of its own", () => {
    const flags = recipeFields.map(({ flag }) => flag);
    expect(new Set(flags).size).toBe(flags.length);
    expect(flags.length).toBeGreaterThan(24);
    for (const { description } of recipeFields) expect(description).toMatch(/^[A-Z]/);
  });

  test("errors name them in more than one way, and all lead to their flags", () => {
    const flagOf = flagNames(parse(["model"]));
    const names = ["layers", "cacheDType", "calibration.window", "window", "trueSequential"];
    const flags = ["--layer", "--cache-dtype", "--window", "--window", "--no-true-sequential"];
    expect(names.map(flagOf)).toEqual(flags);
    expect(flagOf("nothing")).toBeUndefined();
  });
});
