import { gguf, type GgufExport } from "./gguf/gguf.ts";
import { hf, type HfExport } from "./hf.ts";
import { onnx, type OnnxExport } from "./onnx/onnx.ts";

/** All formats that a checkpoint can be exported to, one line each. */
export const formats = { hf, gguf, onnx } as const;

/** A format to export to. */
export type ExportFormatId = keyof typeof formats;

/** Ids of all formats. */
export const exportFormats = Object.keys(formats) as ExportFormatId[];

/** What an export wrote, by its format. */
export type ExportResult = HfExport | GgufExport | OnnxExport;
