import { awqContainer } from "./containers/awq.ts";
import { compressedTensorsContainer } from "./containers/compressed-tensors.ts";
import { gptqContainer } from "./containers/gptq.ts";
import { type ContainerExport, exportTo } from "./containers/write-container.ts";
import { gguf, type GgufExport } from "./gguf/gguf.ts";
import { hf, type HfExport } from "./hf.ts";
import { mlx, type MlxExport } from "./mlx/mlx.ts";

/** All formats that a checkpoint can be exported to, one line each. */
export const formats = {
  hf,
  gguf,
  gptq: exportTo(gptqContainer),
  awq: exportTo(awqContainer),
  "compressed-tensors": exportTo(compressedTensorsContainer),
  mlx,
} as const;

/** A format to export to. */
export type ExportFormatId = keyof typeof formats;

/** Ids of all formats. */
export const exportFormats = Object.keys(formats) as ExportFormatId[];

/** What an export wrote, by its format. */
export type ExportResult = HfExport | GgufExport | ContainerExport | MlxExport;
