import {
  copyFile,
  joinPath,
  listDirectory,
  makeDirectories,
  notAFile,
  parentPath,
  readText,
  sha256OfFile,
  status,
} from "../platform/node.ts";
import { parseJson } from "../util/json.ts";
import { type ModelFiles, templatesFolder } from "./model-files.ts";
import { isSidecarFile } from "./sidecar-files.ts";

/** The small files of a model that lie in its directory. */
export class DirectoryFiles implements ModelFiles {
  readonly path: string;
  private readonly belongs: (name: string) => boolean;

  /** `belongs` tells by its name whether a file belongs to the model. */
  constructor(path: string, belongs: (name: string) => boolean = isSidecarFile) {
    this.path = path;
    this.belongs = belongs;
  }

  label(name: string): string {
    return joinPath(this.path, name);
  }

  async text(name: string): Promise<string | null> {
    const path = this.label(name);
    return (await status(path)) === null ? null : readText(path);
  }

  async json(name: string): Promise<unknown> {
    const text = await this.text(name);
    const path = this.label(name);
    return text === null ? undefined : parseJson(text, path, `download ${path} again`);
  }

  async templates(): Promise<readonly string[]> {
    return (await this.templateEntries())
      .filter(({ kind, name }) => kind === "file" && isSidecarFile(name))
      .map(({ name }) => name);
  }

  async sidecars(): Promise<readonly string[]> {
    const all = [...(await listDirectory(this.path)), ...(await this.templateEntries())];
    const found = all.filter(({ name }) => this.belongs(name));
    for (const { name, kind } of found) {
      if (kind !== "file" && isSidecarFile(name)) throw notAFile("read", this.label(name), kind);
    }
    return found.filter(({ kind }) => kind === "file").map(({ name }) => name);
  }

  async hash(name: string): Promise<string> {
    return sha256OfFile(this.label(name));
  }

  async copy(name: string, to: string): Promise<void> {
    await copyFile(this.label(name), to);
  }

  async sources(): Promise<readonly string[]> {
    return ["config.json", ...(await this.sidecars())].map((name) => this.label(name));
  }

  async notices(): Promise<readonly string[]> {
    return [];
  }

  private async templateEntries(): ReturnType<typeof listDirectory> {
    const folder = joinPath(this.path, templatesFolder);
    if ((await status(folder))?.kind !== "directory") return [];
    const entries = await listDirectory(folder);
    return entries.map((entry) => ({ ...entry, name: `${templatesFolder}/${entry.name}` }));
  }
}

/** Writes the sidecar files of a model into a directory; returns their paths there. */
export async function copySidecarFiles(files: ModelFiles, to: string): Promise<readonly string[]> {
  const names = await files.sidecars();
  for (const name of names) {
    await makeDirectories(parentPath(joinPath(to, name)));
    await files.copy(name, joinPath(to, name));
  }
  return names;
}
