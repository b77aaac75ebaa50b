/** One colour a bit-width, for light and dark pages; lightness falls with the bits, for print. */
const colours: readonly (readonly [bits: number, light: string, dark: string])[] = [
  [16, "#1b1b1f", "#f4f4f5"],
  [8, "#4b008d", "#c9a6ff"],
  [4, "#2d53b0", "#6f93ff"],
  [3, "#0a7454", "#2fb67c"],
  [2, "#b45a1e", "#dd7d3c"],
  [1.58, "#dc509b", "#ff9dd0"],
  [1, "#ad9109", "#ebd04c"],
];

/** Class whose colour stands for a bit-width: `bits-1_58`. */
export function colourClass(bits: number): string {
  // Bits that were chosen for each layer are between two of these.
  const [own = bits] = colours.map(([known]) => known).filter((known) => known <= bits);
  return `bits-${String(own).replace(".", "_")}`;
}

/** Name of a bit-width: `1 bit`, `1.58 bits`, `original`. */
export function bitsName(bits: number): string {
  if (bits === 16) return "original";
  if (bits === 0) return "chosen bits";
  return bits === 1 ? "1 bit" : `${bits} bits`;
}

/** Variables of a light page or drawing. */
export const lightVariables = variables(
  "--paper: #ffffff; --ink: #18181b; --faint: #62626b; --line: #e4e4e7; --raised: #f4f4f5; " +
    "--accent: #1d4ed8; --bad: #b91c1c",
  1,
);

/** Variables of a dark page or drawing. */
export const darkVariables = variables(
  "--paper: #131316; --ink: #ececee; --faint: #a1a1aa; --line: #313136; --raised: #1e1e22; " +
    "--accent: #7ab0ff; --bad: #f87171",
  2,
);

function variables(surfaces: string, column: 1 | 2): string {
  const bits = colours.map((entry) => `--${colourClass(entry[0])}: ${entry[column]}`);
  return [surfaces, ...bits, ""].join("; ").trim();
}

/** Rules that give elements of a class `bits-…` its colour as `--colour`. */
export const colourRules = colours
  .map(([bits]) => `.${colourClass(bits)} { --colour: var(--${colourClass(bits)}); }`)
  .join("\n");
