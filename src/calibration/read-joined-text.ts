import { applyChatTemplate, type ChatTokens } from "../tokenizers/chat-template.ts";
import { readDocuments } from "./read-documents.ts";

/** The documents of a file as one text. */
export interface JoinedText {
  readonly text: string;
  /** The text does not bring its start token itself, as chat templates write it. */
  readonly needsStart: boolean;
}

/** How documents are read. */
export interface JoinedTextOptions {
  /** What the text of a JSON document stands in; default `text`. */
  readonly field?: string | undefined;
  /** Which of the model's chat templates writes conversations; default the usual one. */
  readonly template?: string | undefined;
}

/**
 * Reads a file as one text, with an empty line between its documents; chat conversations are
 * written by the model's template, one after the other.
 * @throws FormatError when the file is missing or malformed; UnsupportedError for conversations
 * when the model has no chat template
 */
export async function readJoinedText(
  path: string,
  tokenizer: ChatTokens & { readonly bosToken: string | null },
  { field, template }: JoinedTextOptions = {},
): Promise<JoinedText> {
  const texts: string[] = [];
  let chats = 0;
  for (const document of await readDocuments(path, "joined", { text: field })) {
    if ("text" in document) texts.push(document.text);
    else {
      chats++;
      const how = { addGenerationPrompt: false, ...(template !== undefined && { template }) };
      texts.push(applyChatTemplate(tokenizer, document.messages, how));
    }
  }
  const { bosToken } = tokenizer;
  const bringsStart = chats > 0 && bosToken !== null && texts[0].startsWith(bosToken);
  return { text: texts.join(chats === texts.length ? "" : "\n\n"), needsStart: !bringsStart };
}
