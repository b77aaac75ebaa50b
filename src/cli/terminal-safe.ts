import { printable } from "../report/format.ts";
import type { Io } from "./io.ts";

/**
 * Makes generated text safe for standard output: it must not steer a terminal; a pipe gets it as it
 * is.
 */
export function terminalSafe(text: string, io: Io): string {
  return io.stdout.isTTY ? printable(text, { newlines: true }) : text;
}
