import { templatesFolder } from "./model-files.ts";

/**
 * Files that belong to a model beside its weights and config.json and stay as they are when it is
 * quantized. README.md is not among them: it describes the original.
 */
const sidecars: readonly RegExp[] = [
  /^generation_config\.json$/,
  /^(?:processor|(?:video_)?preprocessor)_config\.json$/,
  /^tokenizer[\w.-]*\.json$/,
  /^tokenizer\.model$/,
  /^vocab\.(json|txt)$/,
  /^merges\.txt$/,
  /^special_tokens_map\.json$/,
  /^added_tokens\.json$/,
  /^chat_template\.(jinja|json)$/,
  new RegExp(String.raw`^${templatesFolder}/[^/]+\.jinja$`),
];

/** Tells by its name whether a file belongs to a model beside its weights and config.json. */
export function isSidecarFile(name: string): boolean {
  return sidecars.some((sidecar) => sidecar.test(name));
}
