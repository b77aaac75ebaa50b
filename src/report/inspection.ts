import type { InspectedModule, Inspection } from "../runtime/inspect.ts";
import type { AllocationRecord } from "../run/allocation-record.ts";
import { allocationSchema } from "../run/record-schema.ts";
import { describeAllocation } from "./allocation-table.ts";
import { describeChain } from "./describe-chain.ts";
import {
  formatBits,
  formatBytes,
  formatCount,
  formatPlural,
  formatShape,
  printable,
} from "./format.ts";
import { isInBlock, keptWeights } from "./kept-weights.ts";
import { joinParts } from "./plan-summary.ts";
import type { Layout } from "./style.ts";
import { type Cell, formatTable } from "./table.ts";
import { quoteText } from "../util/quote-text.ts";
import { sum } from "../util/sums.ts";

/** Says in a few lines what a checkpoint is, and lays out where its bytes are. */
export function formatInspection(inspection: Inspection, layout: Layout): string[] {
  const { config } = inspection;
  const model = [
    printable(inspection.name),
    `${printable(inspection.architecture)} (${printable(inspection.modelType)})`,
    formatPlural(inspection.blocks, "block"),
    `${formatCount(inspection.parameters)} parameters`,
    `${formatBytes(inspection.sizeBytes)}`,
  ];
  const shape = config ? describeShape(config) : ["an architecture that fewbit cannot run"];
  return [
    ...joinParts(model, layout),
    ...joinParts(shape, layout).map((line) => layout.style(line, "dim")),
    ...ggufFile(inspection, layout),
    ...origin(inspection, layout),
    ...allocation(inspection),
    "",
    ...formatSizes(inspection, layout),
  ];
}

function describeShape(config: NonNullable<Inspection["config"]>): string[] {
  const heads =
    config.kvHeads === config.heads
      ? formatPlural(config.heads, "head")
      : `${config.heads} heads, ${config.kvHeads} for keys and values`;
  return [
    `width ${config.hiddenSize}`,
    `mlp ${config.intermediateSize}`,
    heads,
    `vocabulary ${config.vocabularySize}`,
    `context ${config.contextLength}`,
  ];
}

/** Says what a GGUF file calls itself. */
function ggufFile({ gguf }: Inspection, layout: Layout): string[] {
  if (!gguf) return [];
  const parts = [
    gguf.parts > 1 ? `GGUF in ${gguf.parts} parts` : "GGUF",
    ...(gguf.name === null ? [] : [printable(gguf.name)]),
    ...(gguf.fileType === null ? [] : [`made as ${gguf.fileType}`]),
    formatPlural(Object.keys(gguf.metadata).length, "key") + " of metadata",
  ];
  return joinParts(parts, layout);
}

/** Lists the metadata of a GGUF file. */
export function formatMetadata({ gguf }: Inspection, layout: Layout): string[] {
  if (!gguf) return ["  no metadata: the model is no GGUF file"];
  return formatTable(
    [{ header: "key", minWidth: 20, keep: "end" }, { header: "value" }],
    Object.entries(gguf.metadata).map(([key, value]) => [
      printable(key),
      typeof value === "string" ? quoteText(value, 60) : String(value),
    ]),
    layout,
  );
}

/** Says how a quantized checkpoint was made, as far as its record tells. */
function origin({ quantization, record }: Inspection, layout: Layout): string[] {
  if (!quantization) return [];
  const recipe = record?.["recipe"] as { model?: unknown } | undefined;
  const { methods } = quantization;
  const parts = [
    `quantized to ${quantization.scheme}`,
    ...(methods.length > 0 ? [`by ${describeChain(methods)}`] : []),
    ...(typeof recipe?.model === "string" ? [`from ${printable(recipe.model)}`] : []),
  ];
  return joinParts(parts, layout);
}

/** Says how the bits of each layer were chosen, where they were. */
function allocation({ record }: Inspection): string[] {
  const chosen = readAllocation(record);
  return chosen
    ? describeAllocation(chosen).map((line) => `  bits chosen for each layer: ${line}`)
    : [];
}

/** The allocation of a record; null where there is none. */
export function readAllocation(record: Inspection["record"]): AllocationRecord | null {
  const allocation = record?.["allocation"];
  const parsed = allocationSchema.safeParse(allocation);
  return parsed.success ? (allocation as unknown as AllocationRecord) : null;
}

/** A row for each scheme, for the weights that have none, and for the whole file. */
function formatSizes(inspection: Inspection, layout: Layout): string[] {
  const { quantization, sizes, tensors, bitsPerWeight, config } = inspection;
  const modules = quantization?.modules ?? [];
  const inBlocks = modules.filter(({ module }) => isInBlock(module));
  const around = modules.filter(({ module }) => !isInBlock(module));
  const rows: Cell[][] = Object.keys(quantization?.schemes ?? {}).flatMap((scheme) => {
    const members = inBlocks.filter((module) => module.scheme === scheme);
    if (members.length === 0) return [];
    return [sizeRow(`${formatPlural(members.length, "linear layer")} in ${scheme}`, members)];
  });
  for (const end of around) {
    rows.push(sizeRow(`${nameOfTable(end.module, config)} in ${end.scheme}`, [end]));
  }
  const label = quantization ? undefined : formatPlural(sizes.linear.layers, "linear layer");
  for (const kept of keptWeights(tensors, modules, config?.names.head ?? null, label)) {
    rows.push([kept.label, formatBits(kept.bitsPerWeight), formatBytes(kept.sizeBytes)]);
  }
  const { others } = sizes;
  if (others.parameters > 0) {
    const bits = formatBits((8 * others.bytes) / others.parameters);
    rows.push(["other parts, as they are", bits, formatBytes(others.bytes)]);
  }
  rows.push(["whole file", formatBits(bitsPerWeight.file), formatBytes(sizes.file.bytes)]);
  return formatTable(
    [
      { header: "part", minWidth: 16 },
      { header: "bits/weight", align: "right" },
      { header: "size", align: "right" },
    ],
    rows,
    layout,
  );
}

/** What a table is to a model; its own name where the architecture is not known. */
function nameOfTable(module: string, config: Inspection["config"]): string {
  if (!config) return printable(module);
  if (module === config.names.head) return "head";
  return config.tiedEmbeddings ? "embedding, head" : "embedding";
}

function sizeRow(label: string, modules: readonly InspectedModule[]): Cell[] {
  const sizeBytes = sum(modules.map((module) => module.sizeBytes));
  const weights = sum(modules.map((module) => module.shape[0] * module.shape[1]));
  const bits = formatBits((8 * sizeBytes) / weights);
  return [label, { text: bits, tone: "accent" }, formatBytes(sizeBytes)];
}

/** Lists the packed linear layers. */
export function formatModules({ quantization }: Inspection, layout: Layout): string[] {
  if (!quantization) return ["  no layer is quantized"];
  return formatTable(
    [
      { header: "layer", minWidth: 20, keep: "end" },
      { header: "scheme" },
      { header: "shape", align: "right", dropOrder: 2 },
      { header: "bits/weight", align: "right" },
      { header: "size", align: "right", dropOrder: 1 },
    ],
    quantization.modules.map(({ module, scheme, shape, bitsPerWeight, sizeBytes }) => [
      module,
      scheme,
      formatShape(shape),
      formatBits(bitsPerWeight),
      formatBytes(sizeBytes),
    ]),
    layout,
  );
}

/** Lists all tensors as the files hold them. */
export function formatTensors({ tensors }: Inspection, layout: Layout): string[] {
  return formatTable(
    [
      { header: "tensor", minWidth: 20, keep: "end" },
      { header: "dtype" },
      { header: "shape", align: "right", dropOrder: 2 },
      { header: "size", align: "right", dropOrder: 1 },
    ],
    tensors.map(({ name, dtype, shape, sizeBytes }) => [
      name,
      dtype,
      formatShape(shape),
      formatBytes(sizeBytes),
    ]),
    layout,
  );
}
