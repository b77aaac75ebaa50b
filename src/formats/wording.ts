import { quoteText } from "../util/quote-text.ts";

/** Writes a count for people: `11,541,504`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** Quotes a name that came from a file, in at most 120 characters; see `quoteText`. */
export function quoteName(name: string): string {
  return quoteText(name, 120);
}

/** Writes names for a message: the first few, and how many more there are. */
export function listNames(names: readonly string[], mostNames = 3): string {
  const shown = names.slice(0, mostNames).map(quoteName).join(", ");
  const more = names.length - mostNames;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
