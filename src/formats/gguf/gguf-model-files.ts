import { baseName, sha256, writeText } from "../../platform/node.ts";
import { FewbitError, FormatError } from "../../util/errors.ts";
import { formatJson } from "../json-file.ts";
import type { JsonRecord } from "../../util/json.ts";
import { type ModelFiles, templatesFolder } from "../model-files.ts";
import { listNames } from "../wording.ts";
import { generationSettings } from "./generation-settings.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";

/** The tokenizer of a GGUF file in the Hugging Face format. */
export interface GgufTokenizerFiles {
  /** `tokenizer.json`. */
  readonly definition: object;
  /** `tokenizer_config.json`. */
  readonly settings: object;
  /** Chat templates by name. */
  readonly chatTemplates: ReadonlyMap<string, string>;
  /** Ids of special tokens, by the names that they have in `generation_config.json`. */
  readonly tokenIds: object;
  /** What a user should know of it, a line each. */
  readonly notices: readonly string[];
}

/** Rebuilds a tokenizer from metadata. @throws FormatError UnsupportedError */
export type ReadGgufTokenizer = (metadata: GgufMetadata) => GgufTokenizerFiles;

/** Chat templates become files, so that their names must be names of files. */
const safeName = /^\w[\w .-]*$/;

/**
 * The small files of a model whose GGUF file holds all that they say: made from its metadata when
 * they are asked for.
 */
export class GgufModelFiles implements ModelFiles {
  readonly path: string;
  private readonly config: JsonRecord;
  private readonly metadata: GgufMetadata;
  private readonly readTokenizer: ReadGgufTokenizer;
  private tokenizer: GgufTokenizerFiles | FewbitError | null = null;

  constructor(
    path: string,
    config: JsonRecord,
    metadata: GgufMetadata,
    readTokenizer: ReadGgufTokenizer,
  ) {
    this.path = path;
    this.config = config;
    this.metadata = metadata;
    this.readTokenizer = readTokenizer;
  }

  label(name: string): string {
    return `${baseName(this.path)} (${name})`;
  }

  async text(name: string): Promise<string | null> {
    if (name.endsWith(".jinja")) return this.templateFiles().get(name) ?? null;
    const value = await this.json(name);
    return value === undefined ? null : formatJson(value);
  }

  async json(name: string): Promise<unknown> {
    switch (name) {
      case "config.json":
        return this.config;
      case "generation_config.json":
        return generationSettings(this.metadata, this.tokenIds());
      case "tokenizer.json":
        return this.parts().definition;
      case "tokenizer_config.json":
        return this.parts().settings;
      default:
        return undefined;
    }
  }

  async templates(): Promise<readonly string[]> {
    const inFolder = (name: string): boolean => name.startsWith(`${templatesFolder}/`);
    return [...this.templateFiles().keys()].filter(inFolder).sort();
  }

  async sidecars(): Promise<readonly string[]> {
    const json = ["generation_config.json", "tokenizer.json", "tokenizer_config.json"];
    const templates = [...this.templateFiles().keys()];
    const named = await this.templates();
    const single = templates.filter((name) => !named.includes(name));
    return [...single, ...json, ...named];
  }

  async hash(name: string): Promise<string> {
    return sha256(await this.existing(name));
  }

  async copy(name: string, to: string): Promise<void> {
    await writeText(to, await this.existing(name));
  }

  /** None: a change of the weight file is a change of these. */
  async sources(): Promise<readonly string[]> {
    return [];
  }

  async notices(): Promise<readonly string[]> {
    const found = this.readParts();
    if (found instanceof FewbitError) return [];
    const strange = [...found.chatTemplates.keys()].filter((name) => !safeName.test(name));
    return [
      ...found.notices,
      ...(strange.length > 0
        ? [`chat templates whose names are no names of files are left out: ${listNames(strange)}`]
        : []),
    ];
  }

  private async existing(name: string): Promise<string> {
    const text = await this.text(name);
    if (text !== null) return text;
    throw new FormatError(`${baseName(this.path)} says nothing for ${name}`);
  }

  private templateFiles(): ReadonlyMap<string, string> {
    const files = new Map<string, string>();
    for (const [name, text] of this.parts().chatTemplates) {
      if (name === "default") files.set("chat_template.jinja", text);
      else if (safeName.test(name)) files.set(`${templatesFolder}/${name}.jinja`, text);
    }
    return files;
  }

  /** Ids of special tokens; those that config.json has where the tokenizer cannot be rebuilt. */
  private tokenIds(): object {
    const found = this.readParts();
    if (!(found instanceof FewbitError)) return found.tokenIds;
    const ids = Object.entries(this.config).filter(([name]) => name.endsWith("_token_id"));
    return Object.fromEntries(ids);
  }

  private parts(): GgufTokenizerFiles {
    const found = this.readParts();
    if (found instanceof FewbitError) throw found;
    return found;
  }

  private readParts(): GgufTokenizerFiles | FewbitError {
    try {
      this.tokenizer ??= this.readTokenizer(this.metadata);
    } catch (error) {
      if (!(error instanceof FewbitError)) throw error;
      this.tokenizer = error;
    }
    return this.tokenizer;
  }
}
