import { z } from "zod";
import { FormatError } from "../../util/errors.ts";
import type { JsonRecord } from "../../util/json.ts";
import { parseValue } from "../../util/parse-value.ts";
import { quoteName } from "../wording.ts";
import { refuseSetting } from "./module-tensors.ts";
import { namePattern } from "./name-pattern.ts";

/** How GPTQ stores one module. */
export interface GptqSettings {
  readonly bits: number;
  /** Columns of a group; null: one group a row. */
  readonly groupSize: number | null;
  /** Whether columns were quantized in the order of their importance: g_idx then has the groups. */
  readonly descAct: boolean;
  /** Whether zero points are stored as they are (v2), and not less 1 (v1). */
  readonly ownZeros: boolean;
}

const bits = z.union([z.literal(2), z.literal(3), z.literal(4), z.literal(8)]);
const groupSize = z
  .number()
  .int()
  .refine((size) => size === -1 || size >= 1, "expected -1, or a number of columns");

const schema = z.looseObject({
  bits,
  group_size: groupSize,
  desc_act: z.boolean().default(false),
  checkpoint_format: z.string().nullish(),
  pack_dtype: z.string().default("int32"),
  dynamic: z.record(z.string(), z.looseObject({}).or(z.literal(false))).nullish(),
});
const ruleSchema = z.looseObject({
  bits: bits.optional(),
  group_size: groupSize.optional(),
  desc_act: z.boolean().optional(),
});

/**
 * Reads `quantization_config` of GPTQ.
 * @returns what holds for a module; null where a rule leaves it out
 * @throws FormatError UnsupportedError for what is malformed or not read
 */
export function readGptqSettings(json: JsonRecord): (module: string) => GptqSettings | null {
  const where = "quantization_config";
  const found = parseWith(schema, json, where);
  const { checkpoint_format: form } = found;
  const ownZeros = form === "gptq_v2";
  if (form !== undefined && form !== null && form !== "gptq" && !ownZeros) {
    refuseSetting("checkpoint_format", form, "gptq and gptq_v2 are read");
  }
  if (found.pack_dtype !== "int32") {
    refuseSetting("pack_dtype", found.pack_dtype, "int32 is read");
  }
  const rules = Object.entries(found.dynamic ?? {}).map(([pattern, changes]) => {
    const skips = changes === false || pattern.startsWith("-:");
    const own = skips
      ? {}
      : parseWith(ruleSchema, changes, `${where}.dynamic ${quoteName(pattern)}`);
    return { skips, test: namePattern(pattern.replace(/^[+-]:/, ""), pattern), own };
  });
  return (module) => {
    const rule = rules.find(({ test }) => test(module));
    if (rule?.skips) return null;
    const size = rule?.own.group_size ?? found.group_size;
    return {
      bits: rule?.own.bits ?? found.bits,
      groupSize: size === -1 ? null : size,
      descAct: rule?.own.desc_act ?? found.desc_act,
      ownZeros,
    };
  };
}

function parseWith<S extends z.ZodType>(shape: S, value: unknown, where: string): z.output<S> {
  return parseValue(
    shape,
    value,
    ({ text, hint }) => new FormatError(`${where}: ${text}`, { hint }),
  );
}
