/** Breaks a text into lines of at most `width` characters, at spaces; each begins with `indent`. */
export function wrapText(text: string, width: number, indent = "  "): string[] {
  const room = Math.min(width, 100) - indent.length;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter(Boolean)) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return line === "" ? lines : [...lines, indent + line];
}
