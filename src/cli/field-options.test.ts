import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Method } from "../methods/define-method.ts";
import { type MethodId, methods } from "../methods/index.ts";
import { optionFields, type RecipeInput, recipeFields } from "../recipe/recipe.ts";
import { recipeWords } from "../sweep/recipe/reproduce-command.ts";
import { elementOf } from "../util/field-words.ts";
import type { Field } from "../util/fields.ts";
import { addFieldOptions, flagNames, readFields } from "./field-options.ts";
import { addMethodOptions, pickMethodOptions } from "./method-options.ts";

const chain = { method: "gptq", scheme: "w4g32" } as const;

function parse(words: readonly string[]): Command {
  const command = new Command().argument("<model>").exitOverride();
  addFieldOptions(command, recipeFields);
  addMethodOptions(command);
  return command.parse(words, { from: "user" });
}

/** A value that a field does not have by itself, and that it can have. */
function valueFor(field: Field): unknown {
  const { schema, choices } = field;
  const element = elementOf(field);
  const isList = schema instanceof z.ZodArray;
  if (choices) return isList ? choices : choices.at(-1);
  if (schema instanceof z.ZodBoolean) return field.byDefault !== true;
  if (schema instanceof z.ZodNumber) {
    const values = [7, 0.25].filter((value) => schema.safeParse(value).success);
    return values.find((value) => value !== field.byDefault);
  }
  if (schema instanceof z.ZodEnum) return schema.options.find((each) => each !== field.byDefault);
  if (!(element instanceof z.ZodObject)) return isList ? ["a b", "c=1"] : "a b";
  const [first, second] = Object.keys(element.shape);
  if (field.unit?.includes("["))
    return [{ [first]: "a=b" }, { [first]: "a=3", [second]: 1 }, { [first]: "c d", [second]: 0.5 }];
  return [{ [first]: "re:a=b", [second]: "w2" }];
}

/** The recipe that a field's value stands in, and what a command line says of it. */
function recipeWith({ path }: Field, value: unknown): { recipe: RecipeInput; given: object } {
  const [first, second] = path;
  const said = second === undefined ? value : { [second]: value };
  const steps = Array.isArray(value) ? value.map((method: string) => ({ method })) : [];
  const finishers = [{ method: "e2e-qp" as const, data: said as RecipeInput["calibration"] }];
  const own: Record<string, object> = {
    start: { start: { method: value } },
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

  const options = Object.values<Method>(methods).flatMap((method) =>
    optionFields(method).map((field) => [method.id as MethodId, field.path[0], field] as const),
  );
  test.each(options)("so is the option of %s: %s", (id, name, field) => {
    const chosen = { [name]: valueFor(field) };
    const { role } = methods[id];
    const step = { method: id, options: chosen };
    const place = { transform: "transforms", finisher: "finishers" }[role as "transform"];
    const recipe = {
      ...chain,
      model: "model",
      out: "out",
      ...(place ? { [place]: [step] } : step),
    };
    const command = parse(recipeWords(recipe, "made", (path) => path));
    expect(pickMethodOptions([methods[id]], null, command.opts()).get(id)).toEqual(chosen);
  });

  test("a flag that only the start has is the start's, one that both have the method's", () => {
    const words = ["model", "--damping", "0.2", "--epochs", "3"];
    const given = parse(words).opts();
    const picked = pickMethodOptions([methods["block-ap"]], methods.gptq, given);
    expect(picked.get("block-ap")).toEqual({ epochs: 3 });
    expect(picked.get("gptq")).toEqual({ damping: 0.2 });
    const shared = pickMethodOptions(
      [methods.gptq],
      methods.rtn,
      parse(["model", "--no-mse"]).opts(),
    );
    expect(shared.get("gptq")).toEqual({ mse: false });
    expect(shared.get("rtn")).toEqual({});
    expect(() => pickMethodOptions([methods["block-ap"]], methods.hqq, given)).toThrow(
      /--damping is an option of gptq, and the methods are block-ap, hqq/,
    );
  });

  test("each has a flag of its own, and a description", () => {
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
