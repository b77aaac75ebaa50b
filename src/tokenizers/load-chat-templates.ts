import { type ModelFiles, templatesFolder } from "../formats/model-files.ts";
import { FewbitError } from "../util/errors.ts";
import { parseJson } from "../util/json.ts";
import type { ChatTemplateFiles } from "./chat-template-source.ts";

const ending = ".jinja";

/** Reads a file; an error that says why it cannot be read is kept for when it is needed. */
async function readIfThere(files: ModelFiles, name: string): Promise<string | FewbitError | null> {
  try {
    return await files.text(name);
  } catch (error) {
    if (error instanceof FewbitError) return error;
    throw error;
  }
}

/** Returns the field `chat_template` of `chat_template.json`. */
async function processorTemplate(files: ModelFiles): Promise<unknown> {
  const text = await readIfThere(files, "chat_template.json");
  if (typeof text !== "string") return undefined;
  try {
    return (parseJson(text, "chat_template.json") as { chat_template?: unknown } | null)
      ?.chat_template;
  } catch {
    return undefined;
  }
}

/** Loads the chat templates that a checkpoint keeps in files of their own. */
export async function loadChatTemplates(files: ModelFiles): Promise<ChatTemplateFiles> {
  const found = new Map<string, string | FewbitError>();
  const single = await readIfThere(files, "chat_template.jinja");
  if (single !== null) found.set("default", single);
  for (const name of await files.templates()) {
    const text = await readIfThere(files, name);
    const key = name.slice(templatesFolder.length + 1, -ending.length);
    if (text !== null) found.set(key, text);
  }
  return { files: found, processor: await processorTemplate(files) };
}
