import { appendFileSync } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

/*
 * Loaded before the program (`node --import`), this kills its own process, for good and by SIGKILL,
 * right before the n-th change that it makes to files, or, with `half`, when half of that write is
 * done.
 *
 *   KILL_AT=<n>[half]   which change, counted from 1; 0: none
 *   KILL_LOG=<file>     gets a line for each change: what, and the name of the file
 */

const [, at = "0", half] = /^(\d+)(half)?$/.exec(process.env.KILL_AT ?? "0") ?? [];
const log = process.env.KILL_LOG;
const names = new WeakMap<object, string>();
let count = 0;

/** Counts a change; the chosen one does not come to pass. */
function change(what: string, name: string, doHalf?: () => Promise<unknown>): Promise<unknown> {
  count++;
  if (log) appendFileSync(log, `${what} ${name}\n`);
  if (count !== Number(at)) return Promise.resolve();
  if (!half || !doHalf) return die();
  return doHalf().then(die);
}

function die(): Promise<never> {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
}

for (const name of ["mkdir", "rename", "rm", "rmdir"] as const) {
  const original = fs[name] as (...args: unknown[]) => Promise<unknown>;
  const counted = async (...args: unknown[]): Promise<unknown> => {
    await change(name, basename(String(args.at(name === "rename" ? 1 : 0))));
    return original.apply(fs, args);
  };
  Object.assign(fs, { [name]: counted });
}

const open = fs.open.bind(fs);
let isPatched = false;
Object.assign(fs, {
  open: async (...args: Parameters<typeof open>): Promise<FileHandle> => {
    const handle = await open(...args);
    names.set(handle, basename(String(args[0])));
    if (!isPatched) patch(Object.getPrototypeOf(handle) as Changing);
    isPatched = true;
    return handle;
  },
});
syncBuiltinESMExports();

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

function patch(prototype: Changing): void {
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
