/** Writes a count for people: `11,541,504`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/**
 * Quotes a name that came from a file: control characters are escaped, so that a hostile file
 * cannot write to the terminal, and long names are cut.
 */
export function quoteName(name: string): string {
  const shown = name.length > 120 ? `${name.slice(0, 117)}...` : name;
  // JSON leaves DEL and the C1 controls as they are; some terminals obey them.
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
