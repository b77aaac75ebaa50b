import {
  copyFile,
  joinPath,
  listDirectory,
  makeDirectories,
  notAFile,
  parentPath,
  status,
} from "../platform/node.ts";

/** Folder of the chat templates that have names. */
const templatesFolder = "additional_chat_templates";

/**
 * Files that belong to a model beside its weights and config.json and stay as they are when it is
 * quantized. README.md is not among them: it describes the original.
 */
const sidecars: readonly RegExp[] = [
  /^generation_config\.json$/,
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

/**
 * Lists the sidecar files of a checkpoint directory by their paths in it, sorted, those in the
 * folder of templates last.
 * @throws FormatError when something other than a file has such a name, as a link to nothing
 */
export async function listSidecarFiles(path: string): Promise<string[]> {
  const all = [...(await listDirectory(path))];
  if ((await status(joinPath(path, templatesFolder)))?.kind === "directory") {
    for (const entry of await listDirectory(joinPath(path, templatesFolder))) {
      all.push({ ...entry, name: `${templatesFolder}/${entry.name}` });
    }
  }
  const found = all.filter(({ name }) => isSidecarFile(name));
  for (const { name, kind } of found) {
    if (kind !== "file") throw notAFile("read", joinPath(path, name), kind);
  }
  return found.map(({ name }) => name);
}

/** Copies the sidecar files from one directory to another; returns their paths. */
export async function copySidecarFiles(from: string, to: string): Promise<string[]> {
  const names = await listSidecarFiles(from);
  for (const name of names) {
    await makeDirectories(parentPath(joinPath(to, name)));
    await copyFile(joinPath(from, name), joinPath(to, name));
  }
  return names;
}
