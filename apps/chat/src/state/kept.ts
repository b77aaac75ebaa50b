import type { Sampling } from "../server/server.ts";
import type { Conversation } from "./conversation.ts";
import { readExported, writeExported } from "./exported.ts";

/** What the page looks like: as the system does, or as it was chosen. */
export type Theme = "system" | "light" | "dark";

/** What the page remembers besides conversations. */
export interface Settings {
  readonly theme: Theme;
  readonly sampling: Sampling;
  /** Models that are asked, one or two. */
  readonly models: readonly string[];
  readonly apiKey: string;
}

/** Settings of a page that was never used. */
const firstSettings: Settings = {
  theme: "system",
  sampling: { temperature: 0.7, topP: 0.95, topK: 0, minP: 0.05, maxTokens: 1024, seed: null },
  models: [],
  apiKey: "",
};

/** Where conversations are kept. */
export const conversationsKey = "fewbit-chat-conversations";
const settingsKey = "fewbit-chat-settings";

/** Reads the conversations that this browser keeps; what cannot be read is none. */
export function loadConversations(storage: Storage): Conversation[] {
  try {
    const text = storage.getItem(conversationsKey);
    return text === null ? [] : readExported(text);
  } catch {
    return [];
  }
}

/** Keeps conversations. Returns whether there was room for them. */
export function keepConversations(storage: Storage, all: readonly Conversation[]): boolean {
  const used = all.filter(({ exchanges, title }) => exchanges.length > 0 || title !== "");
  return keep(storage, conversationsKey, writeExported(used));
}

/** Reads the settings; fields that are missing are as at first. */
export function loadSettings(storage: Storage): Settings {
  try {
    const stored = JSON.parse(storage.getItem(settingsKey) ?? "{}") as Partial<Settings>;
    const sampling = { ...firstSettings.sampling, ...stored.sampling };
    return { ...firstSettings, ...stored, sampling };
  } catch {
    return firstSettings;
  }
}

/** Keeps settings. Returns whether there was room for them. */
export function keepSettings(storage: Storage, settings: Settings): boolean {
  return keep(storage, settingsKey, JSON.stringify(settings));
}

function keep(storage: Storage, key: string, text: string): boolean {
  try {
    storage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}
