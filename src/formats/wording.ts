/** Writes a count for people: `11,541,504`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** Writes a size for people, three significant digits, 10^6 bytes a MB: `3.45 MB`. */
export function formatSize(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let size = bytes;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? size : Number(size.toPrecision(3))} ${units[unit]}`;
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
