import { type FewbitError, FormatError, UnsupportedError, UsageError } from "../util/errors.ts";

/** Where chat templates of a checkpoint may stand: the first that is there counts, as a whole. */
export interface ChatTemplateFiles {
  /**
   * `chat_template.jinja` as `default`, and those of `additional_chat_templates` by their names; an
   * error for a file that cannot be read.
   */
  readonly files?: ReadonlyMap<string, string | FewbitError>;
  /** `chat_template` of `tokenizer_config.json`: a text, texts by name, or a list of both. */
  readonly settings?: unknown;
  /** The same field of `chat_template.json`, where processors once kept it. */
  readonly processor?: unknown;
}

/**
 * The chat templates of a model by their names; a single one is `default`. Nothing is read or
 * checked before one is asked for, so that a broken template keeps nothing but chat from working.
 */
export class ChatTemplates {
  private readonly sources: ChatTemplateFiles;

  constructor(sources: ChatTemplateFiles = {}) {
    this.sources = sources;
  }

  /**
   * Names of the templates, sorted.
   * @throws FormatError when the field that holds them is none that can
   */
  names(): string[] {
    return [...this.byName().keys()].sort();
  }

  /**
   * Chooses a template, as transformers does: the one called `name`, or `name` itself when it is
   * the text of one; else `tool_use` for a conversation with tools, else `default`.
   * @throws UnsupportedError when there is none
   * @throws UsageError when there is none of this name, or none to choose without a name
   * @throws FormatError when the chosen one cannot be read
   */
  choose(name?: string, hasTools = false): string {
    if (name !== undefined && /\{[{%]/.test(name)) return name;
    const templates = this.byName();
    if (templates.size === 0) throw noTemplate();
    const forTools = hasTools && templates.has("tool_use") ? "tool_use" : "default";
    const chosen = templates.get(name ?? forTools);
    if (chosen === undefined) throw unknownName(name, this.names());
    if (typeof chosen !== "string") throw chosen;
    return chosen;
  }

  private byName(): ReadonlyMap<string, string | FewbitError> {
    const { files, settings, processor } = this.sources;
    if (files && files.size > 0) return files;
    const inSettings = namedTemplates(settings, "tokenizer_config.json");
    return inSettings.size > 0 ? inSettings : namedTemplates(processor, "chat_template.json");
  }
}

function noTemplate(): UnsupportedError {
  return new UnsupportedError("this model has no chat template, so it is not made for chat", {
    hint: "continue a text with it instead (fewbit run), or take the model's instruct variant",
  });
}

function unknownName(name: string | undefined, names: readonly string[]): UsageError {
  const all = names.join(", ");
  const message =
    name === undefined
      ? `this model has ${names.length} chat templates and none is the default: ${all}`
      : `this model has no chat template "${name}", but ${all}`;
  const hint = `choose one: \`template: ${names[0]}\``;
  return new UsageError(message, { hint, field: "template", value: name });
}

/** Reads the field `chat_template` of a file. */
function namedTemplates(value: unknown, file: string): ReadonlyMap<string, string> {
  const templates = new Map<string, string>();
  if (value === null || value === undefined) return templates;
  if (typeof value === "string") return templates.set("default", value);
  const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(value)
    ? value.map((entry: Readonly<Record<string, unknown>> | null) => [entry?.name, entry?.template])
    : Object.entries(value);
  for (const [name, template] of entries) {
    if (typeof name === "string" && typeof template === "string") templates.set(name, template);
    else throw malformed(file, templates.size);
  }
  if (typeof value !== "object") throw malformed(file, 0);
  return templates;
}

function malformed(file: string, index: number): FormatError {
  return new FormatError(
    `${file}: \`chat_template\` is no template that can be read (its entry ${index})`,
    {
      hint: "it is a text, texts by their names, or a list of entries with `name` and `template`",
    },
  );
}
