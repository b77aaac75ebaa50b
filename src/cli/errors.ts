import { type Command, CommanderError } from "commander";
import { fileError } from "../platform/node.ts";
import { printable } from "../report/format.ts";
import type { Style } from "../report/style.ts";
import { CancelledError, FewbitError, type FewbitErrorOptions } from "../util/errors.ts";
import { flagNames } from "./field-options.ts";
import type { StopSignal } from "./io.ts";

/** Exit codes, as shells expect them. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  interrupted: 130,
  terminated: 143,
  hungUp: 129,
} as const;

const codesOfSignals = {
  SIGINT: exitCodes.interrupted,
  SIGTERM: exitCodes.terminated,
  SIGHUP: exitCodes.hungUp,
} as const;

/** The exit code of a process that a signal ended, as shells have it: 128 and its number. */
export function exitCodeOfSignal(signal: StopSignal): number {
  return codesOfSignals[signal];
}

/** A command that a signal stopped. */
export class StoppedError extends CancelledError {
  readonly signal: StopSignal;

  constructor(signal: StopSignal, message: string, options: FewbitErrorOptions) {
    super(message, options);
    this.signal = signal;
  }
}

/** What an error says: one line of what happened, one of what to do. */
interface Complaint {
  readonly message: string;
  readonly hint: string | undefined;
}

/** Tells the exit code of an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof StoppedError) return exitCodeOfSignal(error.signal);
  if (error instanceof CancelledError) return exitCodes.interrupted;
  if (error instanceof FewbitError && error.code === "USAGE") return exitCodes.usage;
  return exitCodes.failed;
}

/** How errors are shown. */
export interface ErrorFormat {
  readonly style: Style;
  readonly debug: boolean;
  /** The command that was run, whose help and flags a hint may name. */
  readonly command?: Command | undefined;
}

/** Formats an error as `error  …` with a hint below, and for `debug` the stack trace. */
export function formatError(error: unknown, options: ErrorFormat): string[] {
  const { style, debug, command } = options;
  const { message, hint } = complaintOf(error, command);
  const label = error instanceof CancelledError ? "stopped" : style("error", "failure");
  const lines = [`${label}  ${printable(message)}`];
  if (hint) lines.push(`       ${printable(hint)}`);
  if (debug && error instanceof Error) lines.push(style(error.stack ?? "no stack", "dim"));
  return lines;
}

/** What `--json` says of an error: its code, what happened, what to do, and the field it is of. */
export function errorDocument(error: unknown, command: Command | undefined): object {
  const { message, hint } = complaintOf(error, command);
  const known = error instanceof FewbitError ? error : null;
  const code = error instanceof CommanderError ? "USAGE" : (known?.code ?? "UNEXPECTED");
  return { code, message, hint: hint ?? null, field: known?.field ?? null };
}

function complaintOf(error: unknown, command: Command | undefined): Complaint {
  if (error instanceof CommanderError) return commanderComplaint(error, command?.name());
  if (error instanceof FewbitError) {
    return { message: error.message, hint: error.hint && withFlags(error.hint, command) };
  }
  if (isSystemError(error)) {
    const { syscall = "use", path = "a file" } = error;
    const { message, hint } = fileError(syscall, path, error);
    return { message, hint };
  }
  if (error instanceof Error) {
    return {
      message: `${error.message || error.name} (not expected by fewbit)`,
      hint: "set FEWBIT_DEBUG=1 to see where it comes from, and report it please",
    };
  }
  return { message: String(error), hint: undefined };
}

/** What the system refused is no fault of fewbit, wherever it was noticed. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "errno" in error && "syscall" in error;
}

/** Writes fields, which the library names in backquotes, as flags of the command. */
function withFlags(hint: string, command: Command | undefined): string {
  if (!command) return hint;
  const flagOf = flagNames(command);
  return hint.replace(/`([\w.]+)(?:: ([^`]+))?`/g, (quoted, field: string, value?: string) => {
    const flag = flagOf(field);
    if (flag !== undefined) return value === undefined ? flag : `${flag} ${value}`;
    // A choice of the library may be a switch: `resume: restart`.
    return (value !== undefined && flagOf(value)) || quoted;
  });
}

/** `error: unknown option '--shceme'\n(Did you mean --scheme?)` in our form. */
function commanderComplaint(error: CommanderError, command: string | undefined): Complaint {
  const [first = "", ...rest] = error.message.split("\n");
  const suggestion = /^\(Did you mean (.*)\?\)$/.exec(rest.join(" "))?.[1];
  return {
    message: first.replace(/^error: /, ""),
    hint: suggestion
      ? `did you mean ${suggestion}?`
      : `fewbit ${command ? `${command} ` : ""}-h shows what there is`,
  };
}
