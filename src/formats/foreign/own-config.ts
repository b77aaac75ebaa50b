import { FormatError } from "../../util/errors.ts";
import { isJsonRecord, type JsonRecord } from "../../util/json.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { readModelRecord } from "../model-files.ts";

/** Settings of a container, and config.json without them. */
export interface OwnConfig {
  readonly settings: JsonRecord;
  readonly config: JsonRecord;
}

/**
 * Finds the settings of a quant_method: in config.json, or in a file of its own, which older tools
 * write; null where neither has them.
 * @param names names that fields have in config.json, by those that the file may have for them
 * @throws FormatError when both are there and say different things, or config.json has no object
 */
export async function ownConfig(
  { config: json, files }: Checkpoint,
  method: string,
  fileName: string,
  names: Readonly<Record<string, string>> = {},
): Promise<OwnConfig | null> {
  const { quantization_config: stated, ...config } = json;
  if (isJsonRecord(stated) && stated.quant_method !== method) return null;
  if (stated !== undefined && stated !== null && !isJsonRecord(stated)) {
    throw new FormatError("quantization_config: expected an object");
  }
  const file = await readModelRecord(files, fileName);
  const beside =
    file &&
    Object.fromEntries(Object.entries(file).map(([name, value]) => [names[name] ?? name, value]));
  if (!isJsonRecord(stated)) {
    if (!beside || (beside.quant_method ?? method) !== method) return null;
    return { settings: beside, config };
  }
  for (const field of ["bits", "group_size", "desc_act", "checkpoint_format"]) {
    const [one, other] = [stated[field], beside?.[field]];
    if (one === undefined || other === undefined || one === other) continue;
    throw new FormatError(
      `\`${field}\` is ${JSON.stringify(one)} in quantization_config of config.json, ` +
        `${JSON.stringify(other)} in ${fileName}`,
      { hint: "remove the one that does not belong to the weights" },
    );
  }
  return { settings: stated, config };
}
