import { runWithin, TimeIsOver } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { quoteName } from "../wording.ts";

/** Longest pattern that is tried. */
const longestPattern = 300;

/** Milliseconds that a pattern may take for a name. */
const longestMs = 1_000;

/**
 * Reads a regular expression that a configuration has for names of modules. It begins to match at
 * the start of a name, as Python's `re.match` does.
 * @param stated the pattern as it is written, for errors
 * @returns whether it has a name
 * @throws FormatError when it is none, and while it is tried when it takes too long
 */
export function namePattern(pattern: string, stated: string): (name: string) => boolean {
  const expression = compile(pattern);
  if (!expression) {
    throw new FormatError(
      `quantization_config: the pattern ${quoteName(stated)} is no regular expression that is read`,
    );
  }
  const isPlain = isQuick(pattern);
  return (name) => {
    // The limit costs more than most patterns do.
    if (isPlain && name.length <= longestPattern) return expression.test(name);
    try {
      return runWithin(longestMs, () => expression.test(name));
    } catch (cause) {
      if (!(cause instanceof TimeIsOver)) throw cause;
      throw new FormatError(
        `quantization_config: the pattern ${quoteName(stated)} takes more than ` +
          `${longestMs / 1000} s for ${quoteName(name)}`,
        { hint: "write it without repetitions of repetitions, such as (a+)+", cause },
      );
    }
  };
}

function compile(pattern: string): RegExp | null {
  if (pattern.length > longestPattern) return null;
  try {
    return new RegExp(`^(?:${pattern})`, "u");
  } catch {
    return null;
  }
}

/** Whether no group is repeated, and little else: the tries then grow with the name slowly. */
function isQuick(pattern: string): boolean {
  return !/\)[*+{]/.test(pattern) && (pattern.match(/[*+{]/g) ?? []).length <= 3;
}
