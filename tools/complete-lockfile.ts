import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/*
 * Adds to package-lock.json the optional packages of other platforms that npm left out.
 *
 * npm writes no entry for an optional package that the registry in use does not offer, and then
 * `npm ci` refuses the lockfile wherever the package is offered. The entry follows from the package
 * that asks for it: its version stands there, the platform in its name.
 */

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly engines?: object;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
/** Systems that some packages call otherwise than npm does. */
const otherNames: Readonly<Record<string, string>> = { mac: "darwin", win: "win32" };
const processors = ["arm", "arm64", "ia32", "ppc64", "riscv64", "s390x", "x64"];

function entryFor(name: string, version: string, parent: LockEntry): object {
  const words = name.split(/[-/]/).map((word) => otherNames[word] ?? word);
  const os = words.filter((word) => systems.includes(word));
  const cpu = words.filter((word) => processors.includes(word));
  if (os.length !== 1 || cpu.length !== 1) throw new Error(`${name} names no platform`);
  const libc = name.includes("musl") ? "musl" : "glibc";
  return {
    version,
    cpu,
    dev: true,
    ...(os[0] === "linux" ? { libc: [libc] } : {}),
    ...(parent.license ? { license: parent.license } : {}),
    optional: true,
    os,
    ...(parent.engines ? { engines: parent.engines } : {}),
  };
}

const lock = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, LockEntry> };
const packages = new Map(Object.entries(lock.packages));
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (packages.has(key)) continue;
    packages.set(key, entryFor(name, version, parent));
    console.log(`added ${name} ${version}`);
  }
}
const sorted = [...packages].sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(sorted);
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
