import { appendFileSync } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { connect } from "node:net";
import { basename } from "node:path";
import { DatabaseSync } from "node:sqlite";

/*
 * Loaded before a program and before the processes that it starts (`NODE_OPTIONS=--import`), this
 * stops one of them right before a change that it makes to files or to a database.
 *
 *   STOP_IN=<name>      which process, by the name of its main module
 *   KILL_AT=<moment>    it is killed, for good and by SIGKILL: before its n-th change, counted from
 *                       1 (`<n>`), or the first whose line in the log fits (`/pattern/`); with
 *                       `half` behind either, when half of that write is done
 *   HOLD_AT=<moment>    it waits there for a word of the listener at HOLD_PORT, and does not
 *                       outlive the listener; statements of a database cannot wait
 *   FAIL_AT=<moment>    from there on changes fail with FAIL_WITH: a system's code, such as ENOSPC,
 *                       which lets files be removed and renamed, or a result code of SQLite
 *   KILL_LOG=<file>     gets a line for each change: what, and the name of the file, or the SQL
 */

const { STOP_IN, KILL_AT, HOLD_AT, HOLD_PORT, FAIL_AT, KILL_LOG } = process.env;
const { FAIL_WITH = "ENOSPC" } = process.env;
const isKilledAt = momentOf(KILL_AT);
const isHalf = KILL_AT?.endsWith("half");
const isHeldAt = momentOf(HOLD_AT);
const isFailedAt = momentOf(FAIL_AT);
const names = new WeakMap<object, string>();
let count = 0;
let wasHeld = false;
let fails = false;

function momentOf(text = ""): (line: string) => boolean {
  const [, number, pattern] = /^(?:(\d+)|\/(.*)\/)(?:half)?$/.exec(text) ?? [];
  if (pattern === undefined) return () => count === Number(number);
  return (line) => new RegExp(pattern).test(line);
}

/** Notes a change. Returns whether the process is to be killed before it. */
function note(line: string): boolean {
  count++;
  fails ||= isFailedAt(line);
  if (KILL_LOG) appendFileSync(KILL_LOG, `${line}\n`);
  return isKilledAt(line);
}

/** Counts a change; the chosen one does not come to pass, or waits. */
async function change(what: string, name: string, doHalf?: () => Promise<unknown>): Promise<void> {
  const line = `${what} ${name}`;
  if (note(line)) {
    if (isHalf) await doHalf?.();
    die();
  }
  if (fails && !(FAIL_WITH === "ENOSPC" && /^(rm|rmdir|rename) /.test(line))) {
    throw Object.assign(new Error(`${FAIL_WITH}: ${line}`), { code: FAIL_WITH });
  }
  if (wasHeld || !isHeldAt(line)) return;
  wasHeld = true;
  await hold(line);
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

function hold(line: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(Number(HOLD_PORT), "127.0.0.1", () => socket.write(line));
    socket.on("data", () => {
      resolve();
      socket.destroy();
    });
    socket.on("end", die).on("error", die);
  });
}

function watchFiles(): void {
  for (const name of ["mkdir", "rename", "rm", "rmdir"] as const) {
    const original = fs[name] as (...args: unknown[]) => Promise<unknown>;
    const counted = async (...args: unknown[]): Promise<unknown> => {
      await change(name, basename(String(args.at(name === "rename" ? 1 : 0))));
      return original.apply(fs, args);
    };
    Object.assign(fs, { [name]: counted });
  }
  const open = fs.open.bind(fs);
  let isWatched = false;
  Object.assign(fs, {
    open: async (...args: Parameters<typeof open>): Promise<FileHandle> => {
      const handle = await open(...args);
      names.set(handle, basename(String(args[0])));
      if (!isWatched) watchHandles(Object.getPrototypeOf(handle) as Changing);
      isWatched = true;
      return handle;
    },
  });
  syncBuiltinESMExports();
}

/** The methods of file handles that change files, as this program calls them. */
interface Changing {
  write: (
    this: object,
    data: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ) => Promise<unknown>;
  truncate: (this: object, length?: number) => Promise<unknown>;
  sync: (this: object) => Promise<unknown>;
}

function watchHandles(prototype: Changing): void {
  const { write, truncate, sync } = prototype;
  prototype.write = async function (data, offset, length, position) {
    const doHalf = (): Promise<unknown> =>
      write.call(this, data, offset, Math.floor(length / 2), position);
    await change("write", nameOf(this), doHalf);
    return write.call(this, data, offset, length, position);
  };
  prototype.truncate = async function (length) {
    await change("truncate", nameOf(this));
    return truncate.call(this, length);
  };
  prototype.sync = async function () {
    await change("sync", nameOf(this));
    return sync.call(this);
  };
}

function nameOf(handle: object): string {
  return names.get(handle) ?? "?";
}

/** The methods of databases that change them. */
interface Stating {
  exec: (this: object, sql: string) => unknown;
  prepare: (this: object, sql: string) => unknown;
}

/** Statements are done when their call returns: before one a process can be killed, not held. */
function watchDatabases(prototype: Stating): void {
  const { exec, prepare } = prototype;
  const noteStatement = (sql: string): void => {
    if (note(`sql ${sql.trim().replaceAll(/\s+/g, " ")}`)) die();
    if (!fails || Number.isNaN(Number(FAIL_WITH))) return;
    throw Object.assign(new Error("said by SQLite"), { errcode: Number(FAIL_WITH) });
  };
  prototype.exec = function (sql) {
    noteStatement(sql);
    return exec.call(this, sql);
  };
  prototype.prepare = function (sql) {
    if (!sql.startsWith("SELECT")) noteStatement(sql);
    return prepare.call(this, sql);
  };
}

if (basename(process.argv[1] ?? "").replace(/\.[jt]s$/, "") === STOP_IN) {
  watchFiles();
  watchDatabases(DatabaseSync.prototype as Stating);
}
