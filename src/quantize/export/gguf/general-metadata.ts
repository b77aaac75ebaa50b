import type { GgufValue } from "../../../formats/gguf/gguf-metadata.ts";
import type { JsonRecord } from "../../../util/json.ts";
import { version } from "../../../util/version.ts";
import type { ModelCard } from "./model-card.ts";

/** What is known of a model as a whole. */
export interface ModelFacts {
  /** `llama`, `qwen2`, ... */
  readonly architecture: string;
  /** Name for people. */
  readonly name: string;
  /** Number of `general.file_type`. */
  readonly fileType: number;
  readonly parameters: number;
  readonly card: ModelCard | null;
  /** `owner/name` on the Hugging Face Hub; null when the model is not known to be from there. */
  readonly repository: string | null;
  /** generation_config.json, or nothing of it. */
  readonly generation: JsonRecord;
  /** `quantization_config` of a checkpoint of fewbit; null for float models. */
  readonly quantization: JsonRecord | null;
  /** The record of the run that made it; null where there is none. */
  readonly run: JsonRecord | null;
}

/** Version of ggml's block formats. */
const quantizationVersion = 2;

/**
 * Describes a model under `general.*`, and what fewbit knows of its quantization under `fewbit.*`.
 * Source: gguf-py/gguf/constants.py and metadata.py of llama.cpp.
 */
export function generalMetadata(facts: ModelFacts): Map<string, GgufValue> {
  const { architecture, name, fileType, parameters, quantization, run } = facts;
  return new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.type", text("model")],
    ["general.name", text(name)],
    ["general.size_label", text(sizeLabel(parameters))],
    ...cardMetadata(facts),
    ["general.file_type", { type: "u32", value: fileType }],
    ["general.quantization_version", { type: "u32", value: quantizationVersion }],
    ["general.quantized_by", text(`fewbit ${version}`)],
    ...samplingMetadata(facts.generation),
    ...(quantization ? quantizationMetadata(quantization) : []),
    ...(run ? [["fewbit.run", text(JSON.stringify(run))] as const] : []),
  ]);
}

function cardMetadata({ card, repository }: ModelFacts): [string, GgufValue][] {
  const entries: [string, GgufValue][] = [];
  const add = (key: string, value: string | null): void => {
    if (value !== null) entries.push([key, text(value)]);
  };
  add("general.license", card?.license ?? null);
  add("general.license.name", card?.licenseName ?? null);
  add("general.license.link", card?.licenseLink ?? null);
  const own = repository === null ? null : hubUrl(repository);
  add("general.repo_url", own);
  const bases = card && card.baseModels.length > 0 ? card.baseModels : [];
  const known = bases.length > 0 || repository === null ? bases : [repository];
  if (known.length > 0) {
    entries.push(["general.base_model.count", { type: "u32", value: known.length }]);
  }
  for (const [index, base] of known.entries()) {
    const [owner, name] = base.includes("/") ? base.split("/", 2) : [null, base];
    add(`general.base_model.${index}.name`, name);
    add(`general.base_model.${index}.organization`, owner);
    add(`general.base_model.${index}.repo_url`, owner === null ? null : hubUrl(base));
  }
  for (const key of ["tags", "languages"] as const) {
    const values = card?.[key] ?? [];
    if (values.length > 0) entries.push([`general.${key}`, texts(values)]);
  }
  return entries;
}

/** Keys of `general.sampling` by fields of generation_config.json. */
const samplingKeys: readonly (readonly [field: string, key: string, type: "f32" | "i32"])[] = [
  ["temperature", "temp", "f32"],
  ["top_k", "top_k", "i32"],
  ["top_p", "top_p", "f32"],
  ["min_p", "min_p", "f32"],
  ["repetition_penalty", "penalty_repeat", "f32"],
];

function samplingMetadata(generation: JsonRecord): [string, GgufValue][] {
  return samplingKeys.flatMap(([field, key, type]) => {
    const value = generation[field];
    if (typeof value !== "number" || !Number.isFinite(value)) return [];
    return [[`general.sampling.${key}`, { type, value }] satisfies [string, GgufValue]];
  });
}

function quantizationMetadata(quantization: JsonRecord): [string, GgufValue][] {
  const { method, scheme } = quantization;
  return [
    ...(typeof method === "string" ? [["fewbit.method", text(method)] as const] : []),
    ...(typeof scheme === "string" ? [["fewbit.scheme", text(scheme)] as const] : []),
    ["fewbit.quantization", text(JSON.stringify(quantization))] as const,
  ].map(([key, value]) => [key, value]);
}

/** Writes a number of parameters with two digits or more: `135M`, `1.2B`. */
export function sizeLabel(parameters: number): string {
  const units = [
    [1e12, "T"],
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "K"],
  ] as const;
  const [size, suffix] = units.find(([unit]) => parameters > unit) ?? [1e3, "K"];
  const scaled = parameters / size;
  const digits = String(Math.round(scaled)).replace(/^0+/, "").length;
  return `${scaled.toFixed(Math.max(2 - digits, 0))}${suffix}`;
}

function hubUrl(repository: string): string {
  return `https://huggingface.co/${repository}`;
}

function text(value: string): GgufValue {
  return { type: "string", value };
}

function texts(values: readonly string[]): GgufValue {
  return { type: "array", elements: "string", length: values.length, values };
}
