import type { QuantizedModule } from "../quantization-config.ts";
import { writeQuantizationConfig, writeQuantizedModule } from "../quantization-config.ts";
import type { Checkpoint, PackedForm, StoredTensor } from "../checkpoint.ts";
import { storedBytes } from "../safetensors-header.ts";
import { formatSize } from "../../util/format-size.ts";
import { FormatError } from "../../util/errors.ts";
import { sum } from "../../util/sums.ts";
import { listNames } from "../wording.ts";
import type { ForeignContainer, ForeignModules, ForeignWeight } from "./foreign-container.ts";
import { describeWeight, ForeignFile } from "./foreign-file.ts";
import { foreignContainers } from "./index.ts";

/** A module that was opened, and the file that it is read from. */
interface Opened {
  readonly name: string;
  readonly weight: ForeignWeight;
  readonly file: ForeignFile;
}

/**
 * Returns a checkpoint in which the packed weights of another program are modules of fewbit, where a
 * scheme holds them as they are, and decoded otherwise; the checkpoint itself where no container of
 * others is found in it.
 * @param decoded whether all are decoded, to stand for an original
 * @throws FormatError when tensors are missing, or not what the configuration says
 * @throws UnsupportedError for forms that are not read
 */
export async function importForeign(
  checkpoint: Checkpoint,
  decoded = false,
  containers: readonly ForeignContainer[] = foreignContainers,
): Promise<Checkpoint> {
  for (const container of containers) {
    const found = await container.find(checkpoint);
    if (found) return takeOver(checkpoint, found, decoded);
  }
  return checkpoint;
}

async function takeOver(
  checkpoint: Checkpoint,
  found: ForeignModules,
  decoded: boolean,
): Promise<Checkpoint> {
  const opened: Opened[] = [];
  for (const { name, tensors, open } of found.modules) {
    const weight = await open();
    const size = sum(tensors.map((each) => storedBytes(checkpoint.info(each))));
    const path = checkpoint.fileOf(tensors[0]);
    const how = { storedBytes: size, type: found.title, decoded };
    opened.push({ name, weight, file: new ForeignFile(path, name, weight, how) });
  }
  const gone = new Set([
    ...found.modules.flatMap(({ tensors }) => tensors),
    ...(found.ignored ?? []),
  ]);
  const kept = [...checkpoint.tensors.keys()].filter((name) => !gone.has(name));
  const rest = checkpoint.select(found.config, new Map(kept.map((name) => [name, name])));
  const files = new Map(
    opened.flatMap(({ file }) => [...file.tensors.keys()].map((name) => [name, file] as const)),
  );
  for (const name of files.keys()) expectFree(rest, name);
  const packed = new Map<string, QuantizedModule>();
  for (const { name, weight } of opened) {
    const described = describeWeight(weight);
    if (described) packed.set(name, described);
  }
  const config = decoded ? found.config : { ...found.config, ...quantizationOf(packed) };
  const whole = rest.overlay(config, files);
  const notices = [...found.notices, ...noticesOf(found.title, opened, decoded)];
  return whole.with({
    notices: [...checkpoint.notices, ...notices],
    ...(decoded && { packedForms: formsOf(opened) }),
  });
}

function expectFree(rest: Checkpoint, name: string): void {
  if (!rest.has(name)) return;
  throw new FormatError(`tensor \`${name}\` is there beside the packed weight that it would be`);
}

/** `quantization_config` of packed modules; its scheme is that of most weights. */
function quantizationOf(modules: ReadonlyMap<string, QuantizedModule>): object {
  if (modules.size === 0) return {};
  const weights = new Map<string, number>();
  for (const { scheme, outFeatures, inFeatures } of modules.values()) {
    weights.set(scheme.id, (weights.get(scheme.id) ?? 0) + outFeatures * inFeatures);
  }
  const [[most]] = [...weights].sort(([, a], [, b]) => b - a);
  const usual = [...modules.values()].find(({ scheme }) => scheme.id === most);
  if (!usual) return {};
  return { quantization_config: writeQuantizationConfig(usual.scheme, modules) };
}

function formsOf(opened: readonly Opened[]): ReadonlyMap<string, PackedForm> {
  const forms = new Map<string, PackedForm>();
  for (const { name: module, weight, file } of opened) {
    const described = describeWeight(weight);
    const place: StoredTensor = { file, name: `${module}.weight` };
    if (described)
      forms.set(place.name, { module, description: writeQuantizedModule(described), place });
  }
  return forms;
}

/** What is to be said of weights that are not taken over as they are. */
function noticesOf(title: string, opened: readonly Opened[], decoded: boolean): string[] {
  if (decoded) {
    return [
      `the checkpoint is quantized already (${title}, ${opened.length} modules): its decoded weights ` +
        "stand for the original, and errors add up",
    ];
  }
  const floats = opened.filter(({ weight }) => weight.scheme === null);
  if (floats.length === 0) return [];
  const size = sum(floats.map(({ weight }) => 4 * weight.outFeatures * weight.inFeatures));
  const stored = sum(floats.map(({ file }) => file.sizeBytes));
  return [
    `${title}: no scheme holds ${floats.length} of ${opened.length} packed weights as they are ` +
      `(${listNames(floats.map(({ name }) => name))}); they are decoded to float32 and take ` +
      `${formatSize(size)} in memory, ${formatSize(stored)} in the file`,
  ];
}
