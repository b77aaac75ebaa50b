import { joinPath, listDirectory, readText, status } from "../platform/node.ts";
import { FewbitError } from "../util/errors.ts";
import { parseJson } from "../util/json.ts";
import type { ChatTemplateFiles } from "./chat-template-source.ts";

/** Folder of the templates that are not the default one, as transformers 5 saves them. */
const folder = "additional_chat_templates";
const ending = ".jinja";

/** Reads a file; an error that says why it cannot be read is kept for when it is needed. */
async function readIfThere(path: string): Promise<string | FewbitError | null> {
  try {
    return (await status(path)) === null ? null : await readText(path);
  } catch (error) {
    if (error instanceof FewbitError) return error;
    throw error;
  }
}

async function namesIn(path: string): Promise<string[]> {
  if ((await status(path))?.kind !== "directory") return [];
  return (await listDirectory(path))
    .filter(({ name, kind }) => kind === "file" && name.endsWith(ending))
    .map(({ name }) => name);
}

/** Returns the field `chat_template` of `chat_template.json`. */
async function processorTemplate(path: string): Promise<unknown> {
  const text = await readIfThere(path);
  if (typeof text !== "string") return undefined;
  try {
    return (parseJson(text, path) as { chat_template?: unknown } | null)?.chat_template;
  } catch {
    return undefined;
  }
}

/** Loads the chat templates that a checkpoint keeps in files of their own. */
export async function loadChatTemplates(directory: string): Promise<ChatTemplateFiles> {
  const files = new Map<string, string | FewbitError>();
  const single = await readIfThere(joinPath(directory, "chat_template.jinja"));
  if (single !== null) files.set("default", single);
  for (const name of await namesIn(joinPath(directory, folder))) {
    const text = await readIfThere(joinPath(directory, folder, name));
    if (text !== null) files.set(name.slice(0, -ending.length), text);
  }
  return { files, processor: await processorTemplate(joinPath(directory, "chat_template.json")) };
}
