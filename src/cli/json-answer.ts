import type { Command } from "commander";
import { errorDocument } from "./errors.ts";
import type { Io } from "./io.ts";

/** What a program that asked for JSON is told: one document, be it of what went wrong. */
export class JsonAnswer {
  readonly io: Io;
  private readonly isJson: boolean;
  private isGiven = false;

  constructor(io: Io, isJson: boolean) {
    this.isJson = isJson;
    const { stdout } = io;
    const write = (text: string): unknown => {
      this.isGiven = true;
      return stdout.write(text);
    };
    const { isTTY = false, columns } = stdout;
    this.io = isJson
      ? { ...io, stdout: { write, isTTY, ...(columns === undefined ? {} : { columns }) } }
      : io;
  }

  /** Gives the error as the document, unless one was given before it. */
  fail(error: unknown, command: Command | undefined): void {
    if (!this.isJson || this.isGiven) return;
    this.io.stdout.write(`${JSON.stringify({ error: errorDocument(error, command) }, null, 2)}\n`);
  }
}
