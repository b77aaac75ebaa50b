import { readQTensor } from "../../../formats/fewbit-format.ts";
import { quantizedEntries } from "../../../formats/fewbit-format.ts";
import {
  type QuantizedModule,
  readQuantizationConfig,
} from "../../../formats/quantization-config.ts";
import type { TensorEntry } from "../../../formats/safetensors-header.ts";
import { describeLinears } from "../../../models/decoder-tensors.ts";
import type { QTensor } from "../../../quant/q-tensor.ts";
import { writableDType } from "../../../run/output/copy-tensor.ts";
import { UnsupportedError, UsageError } from "../../../util/errors.ts";
import { Scratch } from "../../../util/scratch.ts";
import type { JsonRecord } from "../../../util/json.ts";
import { expectPlainLinears } from "../expect-linears.ts";
import type { ExportSource, WriteOptions } from "../export-format.ts";
import type { Container, StoredLayers, StoredPart } from "./container.ts";
import { type IntegerForm, integerForm, integerLayer } from "./integer-layer.ts";
import { commonGroupSize, mostOf } from "./most-of.ts";
import { narrow } from "../narrow.ts";

/** A tensor that is written. */
export interface PlannedPart extends TensorEntry {
  /** The packed module that it is made of; null where it is copied. */
  readonly module: string | null;
  readonly make?: StoredPart["make"];
  /** Makes the bytes of a table that is written decoded. */
  readonly decode?: (weight: QTensor) => ArrayBufferView;
  readonly note: string | null;
}

/** What an export will write. */
export interface ContainerPlan {
  readonly source: ExportSource;
  readonly options: WriteOptions;
  readonly modules: ReadonlyMap<string, QuantizedModule>;
  readonly forms: ReadonlyMap<string, IntegerForm>;
  /** Layers whose scales are rounded to float16. */
  readonly rounded: ReadonlySet<string>;
  readonly parts: readonly PlannedPart[];
  /** Fields of config.json that are others than those of the source. */
  readonly config: JsonRecord;
  readonly settingsFile: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Plans an export: looks at the scales of every packed module.
 * @throws UsageError where nothing is packed
 * @throws UnsupportedError where the container does not hold a module as it is
 */
export async function planContainer(
  container: Container,
  source: ExportSource,
  options: WriteOptions,
): Promise<ContainerPlan> {
  const { checkpoint, config } = source;
  const modules = readQuantizationConfig(checkpoint.config)?.modules ?? new Map();
  if (modules.size === 0) {
    throw new UsageError(`${source.path} is not quantized: there are no codes to export`, {
      hint: "quantize it first: fewbit quantize",
    });
  }
  expectPlainLinears(modules);
  const linears = describeLinears(config).map(({ module }) => module);
  const held = await holdAll(container, source, linears, options);
  const plain = linears.filter((name) => !modules.has(name));
  const layers = {
    forms: held.forms,
    plain: [...plain, "lm_head"],
    symmetric: [...held.forms.values()].every(({ symmetric }) => symmetric),
  };
  expectOneForm(container, held.forms);
  const tables = [...modules.keys()].filter((name) => !held.forms.has(name));
  if (tables.length > 0) {
    options.onNotice?.(
      `${tables.join(", ")} are written decoded: the container holds linears only`,
    );
  }
  return {
    source,
    options,
    modules,
    forms: held.forms,
    rounded: held.rounded,
    parts: partsOf(container, source, options, modules, layers),
    config: configOf(source, container.settings(layers)),
    settingsFile: container.settingsFile ?? null,
    metadata: { format: "pt" },
  };
}

/** @throws UnsupportedError where a container that has one form for all would need several */
function expectOneForm(container: Container, forms: ReadonlyMap<string, IntegerForm>): void {
  if (container.bits.length > 1) return;
  if (commonGroupSize([...forms.values()]) !== undefined) return;
  const usual = mostOf([...forms.values()]);
  const other = [...forms].find(([, { groupSize }]) => groupSize !== usual.groupSize);
  if (!other) return;
  throw new UnsupportedError(
    `${container.id} has one group size for all layers: ${other[0]} has another one`,
    { hint: "use `format: compressed-tensors`", field: "format", value: container.id },
  );
}

interface Held {
  readonly forms: ReadonlyMap<string, IntegerForm>;
  readonly rounded: ReadonlySet<string>;
}

async function holdAll(
  container: Container,
  { checkpoint }: ExportSource,
  linears: readonly string[],
  { requantize = false, onNotice }: WriteOptions,
): Promise<Held> {
  const modules = readQuantizationConfig(checkpoint.config)?.modules ?? new Map();
  const forms = new Map<string, IntegerForm>();
  const rounded = new Set<string>();
  const scratch = new Scratch();
  for (const name of linears) {
    const packed: QuantizedModule | undefined = modules.get(name);
    if (!packed) continue;
    const layer = integerLayer(await readQTensor(checkpoint, name, packed), scratch);
    const form = layer && integerForm(layer, container.bits);
    if (!layer || !form) throw refused(container, name, packed, noIntegers(layer !== null));
    const fault = container.refuse(form);
    if (fault) throw refused(container, name, packed, fault);
    if (layer.rounded && !requantize) throw refused(container, name, packed, roundedScales);
    if (layer.rounded) rounded.add(name);
    forms.set(name, form);
  }
  if (rounded.size > 0) onNotice?.(`scales of ${rounded.size} layers were rounded to float16`);
  return { forms, rounded };
}

const roundedScales = "its scales would have to be rounded to float16 (once, with `requantize`)";

function noIntegers(isInteger: boolean): string {
  return isInteger
    ? "its integers are too wide"
    : "its values are no integers times a scale of their group";
}

function refused(
  { id, bits }: Container,
  name: string,
  { scheme }: QuantizedModule,
  why: string,
): UnsupportedError {
  const wider = bits.length === 1 ? "`format: gptq` or `format: compressed-tensors`, or " : "";
  return new UnsupportedError(`${id} does not hold ${name} of the scheme ${scheme.id}: ${why}`, {
    hint: `the nearest that can: ${wider}\`format: gguf\`; \`format: hf\` writes decoded weights`,
    field: "format",
    value: id,
  });
}

function partsOf(
  container: Container,
  { checkpoint }: ExportSource,
  { dtype = "f32" }: WriteOptions,
  modules: ReadonlyMap<string, QuantizedModule>,
  layers: StoredLayers,
): PlannedPart[] {
  const owners = new Map(
    [...modules].flatMap(([name, module]) =>
      quantizedEntries(name, module).map((entry) => [entry.name, name] as const),
    ),
  );
  const done = new Set<string>();
  return [...checkpoint.tensors.values()].flatMap((info): PlannedPart[] => {
    const module = owners.get(info.name);
    if (module === undefined) {
      const stored = writableDType(info);
      return [{ name: info.name, dtype: stored, shape: info.shape, module: null, note: null }];
    }
    if (done.has(module)) return [];
    done.add(module);
    const form = layers.forms.get(module);
    if (form) {
      return container.parts(module, form, layers).map((part) => ({ ...part, module, note: null }));
    }
    const { outFeatures, inFeatures } = modules.get(module) as QuantizedModule;
    const decode = (weight: QTensor): ArrayBufferView => narrow(module, weight.dequantize(), dtype);
    const shape = [outFeatures, inFeatures];
    return [{ name: `${module}.weight`, dtype, shape, module, decode, note: "decoded" }];
  });
}

/** Scales are float16: programs that load weights in another dtype would round them. */
function configOf({ checkpoint }: ExportSource, settings: JsonRecord): JsonRecord {
  const key = "torch_dtype" in checkpoint.config ? "torch_dtype" : "dtype";
  return { [key]: "float16", quantization_config: settings };
}
