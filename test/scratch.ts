import { mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * Where the files of one run of the tests lie: in memory where there is room for them, because what
 * is written durably costs a third of the time on a disk.
 */

const memory = "/dev/shm";
const leastBytes = 4e9;
const prefix = "fewbit-tests-";

/** Makes the folder of this run, and removes those of runs that were killed. */
export function makeScratch(): string {
  const place = hasRoom(memory) ? memory : tmpdir();
  for (const name of readdirSync(place)) {
    const [, pid] = new RegExp(`^${prefix}(\\d+)-`).exec(name) ?? [];
    if (pid && !isRunning(Number(pid))) rmSync(join(place, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(place, `${prefix}${process.pid}-`));
}

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= leastBytes;
  } catch {
    return false;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Removes the folder after the run; called by vitest. */
export function teardown(): void {
  const folder = process.env["FEWBIT_TEST_SCRATCH"];
  if (folder) rmSync(folder, { recursive: true, force: true });
}
