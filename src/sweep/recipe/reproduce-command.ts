import { formatCommand } from "../../util/shell-command.ts";
import type { RecipeInput } from "../../recipe/recipe.ts";

type Calibration = NonNullable<RecipeInput["calibration"]>;

/**
 * Writes a recipe as the command line that makes the same checkpoint; `placeOf` says how paths are
 * written, and `out` is the folder that it writes.
 */
export function reproduceCommand(
  recipe: RecipeInput,
  out: string,
  placeOf: (path: string) => string,
): string {
  const { model, transforms = [], method, options = {}, finishers = [], scheme } = recipe;
  const { embedding, head, ignore = [], layers = [], trueSequential, activationRange } = recipe;
  const { calibration, seed } = recipe;
  const [data] = finishers.flatMap((finisher) => finisher.data ?? []);
  return formatCommand([
    "fewbit",
    "quantize",
    placeOf(model),
    ...transforms.flatMap((step) => [
      "--transform",
      step.method,
      ...optionWords(step.options ?? {}, `${step.method}-`),
    ]),
    "--method",
    method,
    ...optionWords(options, ""),
    ...finishers.flatMap((step) => [
      "--finish",
      step.method,
      ...optionWords(step.options ?? {}, `${step.method}-`),
    ]),
    "--scheme",
    scheme,
    ...(embedding == null ? [] : ["--embedding", embedding]),
    ...(head == null ? [] : ["--head", head]),
    ...ignore.flatMap((pattern) => ["--ignore", pattern]),
    ...layers.flatMap((layer) => ["--layer", `${layer.pattern}=${layer.scheme}`]),
    ...(calibration ? calibrationWords(calibration, placeOf) : []),
    ...(data ? finishWords(data, placeOf) : []),
    ...(trueSequential === false ? ["--no-true-sequential"] : []),
    ...(activationRange === undefined ? [] : ["--activation-range", activationRange]),
    ...(seed ? ["--seed", `${seed}`] : []),
    "--out",
    out,
  ]);
}

function optionWords(options: Readonly<Record<string, unknown>>, prefix: string): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flag = prefix + name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (value === true) return [`--${flag}`];
    if (value === false) return [`--no-${flag}`];
    return [`--${flag}`, String(value)];
  });
}

function calibrationWords(text: Calibration, placeOf: (path: string) => string): string[] {
  const { selfGenerated, samples, window, order, bos, allowFewer } = text;
  return [
    ...fileWords("--calibration", text, placeOf),
    ...(selfGenerated ? ["--self-calibration"] : []),
    ...valueWords({ samples, window, order, bos }),
    ...(allowFewer ? ["--allow-fewer"] : []),
  ];
}

function finishWords(text: Calibration, placeOf: (path: string) => string): string[] {
  const { samples, window } = text;
  return [
    ...fileWords("--finish-text", text, placeOf),
    ...valueWords({ "finish-samples": samples, "finish-window": window }),
  ];
}

function fileWords(
  flag: string,
  { files = [] }: Calibration,
  placeOf: (path: string) => string,
): string[] {
  return files.flatMap(({ path, weight }) => [
    flag,
    weight === undefined ? placeOf(path) : `${placeOf(path)}=${weight}`,
  ]);
}

function valueWords(values: Readonly<Record<string, string | number | undefined>>): string[] {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return given.flatMap(([name, value]) => [`--${name}`, String(value)]);
}
