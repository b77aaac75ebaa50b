import { writeText } from "../../platform/node.ts";
import type { GenerationFigures } from "./generation.ts";

/** What one model wrote. */
interface Author {
  readonly model: string;
  readonly generation: GenerationFigures | null;
}

/**
 * Writes a JSON line for each continuation: model, prompt, text, tokens and figures; the original's
 * continuations last. Without a path nothing is written.
 */
export async function writeTexts(
  path: string | undefined,
  model: Author,
  original: Author | null,
): Promise<void> {
  if (path === undefined) return;
  const lines = [model, ...(original ? [original] : [])].flatMap(({ model: name, generation }) =>
    (generation?.continuations ?? []).map((each) => JSON.stringify({ model: name, ...each })),
  );
  await writeText(path, `${lines.join("\n")}\n`);
}
