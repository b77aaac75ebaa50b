import { isModelFile, isSidecarFile } from "../formats/sidecar-files.ts";
import { indexFileName, readShardIndex } from "../formats/weight-files.ts";
import {
  absolutePath,
  baseName,
  exists,
  freeDiskBytes,
  joinPath,
  makeDirectories,
} from "../platform/node.ts";
import { FormatError, NetworkError } from "../util/errors.ts";
import { chooseFiles, chooseGgufFiles } from "./choose-files.ts";
import { downloadFile } from "./download-file.ts";
import { DownloadMeter, type DownloadProgress } from "./download-progress.ts";
import { HubCache } from "./hub-cache.ts";
import { HubClient } from "./hub-client.ts";
import { diskFull, notCached } from "./hub-errors.ts";
import type { HubFile } from "./hub-file.ts";
import { type HubSettings, readHubSettings } from "./hub-settings.ts";
import { partialBytes } from "./partial-file.ts";
import { type HubSource, isCommit, parseHubSource } from "./model-source.ts";

/** Where a model on disk came from. */
export interface HubOrigin {
  readonly repo: string;
  /** Branch, tag or commit that was asked for. */
  readonly revision: string;
  /** The commit that it was. */
  readonly commit: string;
}

/** A model that is on disk. */
export interface ResolvedModel {
  /** The checkpoint: a directory, or a GGUF file. */
  readonly directory: string;
  /** Name for people: that of the directory, the file or the repository. */
  readonly name: string;
  /** What to give `resolveModel` to get the same model again. */
  readonly source: string;
  /** Null for models that were on disk to begin with. */
  readonly origin: HubOrigin | null;
}

/** Who hears of a download, and how the Hub is asked. */
export interface ResolveOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** By default what the environment says. */
  readonly settings?: HubSettings;
  /** Whether all files that go with a model are wanted, and not only those that fewbit reads. */
  readonly allFiles?: boolean;
  /** Whether `config.json` is all that is wanted; of a GGUF file, which has it within, the file is. */
  readonly configOnly?: boolean;
}

/**
 * Finds the checkpoint of a model source: a directory or GGUF file as it is, or
 * `hf:owner/name[@revision][:file.gguf]`, whose files are downloaded as far as the cache lacks them. When the
 * Hub cannot be reached, or `HF_HUB_OFFLINE` is set, the cache answers alone.
 * @throws UsageError when the source names no model, or is not in the cache and no request may be
 * made
 * @throws NetworkError when the Hub cannot be reached or refuses
 * @throws FormatError when the repository holds no checkpoint that fewbit reads
 * @throws CancelledError when `signal` is aborted; what was downloaded is kept
 */
export async function resolveModel(
  source: string,
  options: ResolveOptions = {},
): Promise<ResolvedModel> {
  const hub = parseHubSource(source);
  if (!hub) {
    return { directory: source, name: baseName(absolutePath(source)), source, origin: null };
  }
  const settings = options.settings ?? (await readHubSettings());
  const { commit, directory } = await new Download(hub, settings, options).run();
  const { repo, revision, file } = hub;
  return {
    directory,
    name: baseName(file ?? repo),
    source: `hf:${repo}@${commit}${file === null ? "" : `:${file}`}`,
    origin: { repo, revision, commit },
  };
}

/** The way from a source to files: what its steps share. */
class Download {
  private readonly source: HubSource;
  private readonly settings: HubSettings;
  private readonly options: ResolveOptions;
  private readonly cache: HubCache;
  private readonly client: HubClient;
  /** Whether requests are of no use: they are not allowed, or the first one found no server. */
  private offline: boolean;

  constructor(source: HubSource, settings: HubSettings, options: ResolveOptions) {
    this.source = source;
    this.settings = settings;
    this.options = options;
    this.cache = new HubCache(settings.cacheFolder, source.repo);
    this.client = new HubClient(settings, source, options.signal);
    this.offline = settings.offline;
  }

  /** Tells by its name whether a file beside the weights is wanted. */
  private get belongs(): (name: string) => boolean {
    return this.options.allFiles ? isModelFile : isSidecarFile;
  }

  async run(): Promise<{ commit: string; directory: string }> {
    const { source, cache } = this;
    const commit = await this.findCommit();
    const files = await this.findFiles(commit);
    if (source.file !== null) return { commit, directory: await this.fetchGguf(commit, files) };
    if (this.options.configOnly && files !== null) {
      await cache.rememberCommit(source.revision, commit);
      await this.fetch(commit, [expectConfig(files, source.repo)], { quiet: true });
    } else if (files === null) {
      // Another program downloaded it and kept no list: what is there must do.
      chooseFiles(await cache.snapshotNames(commit), source.repo, this.belongs);
    } else {
      await cache.rememberCommit(source.revision, commit);
      const { names, sharded } = chooseFiles([...files.keys()], source.repo, this.belongs);
      const chosen = names.map((name) => expectListed(files, name));
      if (sharded) {
        await this.fetch(commit, [expectListed(files, indexFileName)], { quiet: true });
        const index = joinPath(cache.snapshotPath(commit), indexFileName);
        const shards = new Set((await readShardIndex(index)).values());
        chosen.push(...[...shards].sort().map((name) => expectListed(files, name)));
      }
      await this.fetch(commit, chosen, { quiet: false });
    }
    return { commit, directory: cache.snapshotPath(commit) };
  }

  /** Fetches the GGUF file that was asked for, with its other parts; returns its path. */
  private async fetchGguf(commit: string, files: Map<string, HubFile> | null): Promise<string> {
    const { source, cache } = this;
    const file = source.file ?? "";
    const path = joinPath(cache.snapshotPath(commit), file);
    if (files === null) {
      if (await exists(path)) return path;
      throw notCached(source, file);
    }
    await cache.rememberCommit(source.revision, commit);
    const names = chooseGgufFiles([...files.keys()], source.repo, file);
    const chosen = names.map((name) => expectListed(files, name));
    await this.fetch(commit, chosen, { quiet: false });
    return path;
  }

  private async findCommit(): Promise<string> {
    const { source, cache, client } = this;
    if (isCommit(source.revision)) return source.revision;
    const known = await cache.commitOf(source.revision);
    if (this.offline) {
      if (known) return known;
      throw notCached(source, "copy");
    }
    try {
      return await client.commit({ patient: known === null });
    } catch (error) {
      if (known === null || !(error instanceof NetworkError && error.transient)) throw error;
      this.offline = true;
      this.options.onNotice?.(`${error.message}; taking ${source.repo} as it was last downloaded`);
      return known;
    }
  }

  /** Lists the files of a commit by name; null when that is not known and cannot be asked. */
  private async findFiles(commit: string): Promise<Map<string, HubFile> | null> {
    const { cache, client, source } = this;
    let files = await cache.filesOf(commit);
    if (files === null) {
      if (this.offline) {
        if ((await cache.snapshotNames(commit)).length > 0) return null;
        throw notCached(source, "copy");
      }
      files = await client.files(commit);
      await cache.rememberFiles(commit, files);
    }
    return new Map(files.map((file) => [file.path, file]));
  }

  /** Makes sure that files of a commit are there. */
  private async fetch(
    commit: string,
    wanted: readonly HubFile[],
    { quiet }: { readonly quiet: boolean },
  ): Promise<void> {
    const { cache, client, source, options } = this;
    const missing: HubFile[] = [];
    for (const file of wanted) {
      if (await cache.has(commit, file)) continue;
      if (await cache.hasBlob(file)) await cache.place(commit, file);
      else missing.push(file);
    }
    if (missing.length === 0) return;
    if (this.settings.offline) throw notCached(source, missing[0]?.path ?? "file");
    await this.expectRoom(missing);
    const { signal, onNotice = () => {}, onDownload = () => {} } = options;
    const meter = new DownloadMeter({ repo: source.repo, commit }, missing, onDownload);
    for (const [index, file] of missing.entries()) {
      const onBytes = quiet ? (): void => {} : meter.begin(file, index);
      const url = client.fileUrl(commit, file);
      await downloadFile(client, url, file, cache.blobPath(file), { signal, onNotice, onBytes });
      await cache.place(commit, file);
    }
  }

  private async expectRoom(missing: readonly HubFile[]): Promise<void> {
    let needBytes = 0;
    for (const file of missing) {
      needBytes += file.sizeBytes - (await partialBytes(this.cache.blobPath(file)));
    }
    await makeDirectories(this.cache.folder);
    const freeBytes = await freeDiskBytes(this.cache.folder);
    if (freeBytes === null || needBytes <= freeBytes) return;
    throw diskFull(this.cache.folder, needBytes, freeBytes);
  }
}

function expectConfig(files: ReadonlyMap<string, HubFile>, repo: string): HubFile {
  const file = files.get("config.json");
  if (file) return file;
  throw new FormatError(`the repository ${repo} has no config.json`, {
    hint: "name a repository in the form of transformers, or a GGUF file: hf:owner/name:file.gguf",
  });
}

function expectListed(files: ReadonlyMap<string, HubFile>, name: string): HubFile {
  const file = files.get(name);
  if (file) return file;
  throw new FormatError(`the repository lacks ${name}, which ${indexFileName} names`, {
    hint: "its last upload may not be complete; ask its owner, or name an earlier revision",
  });
}
