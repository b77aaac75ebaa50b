// Compiles the native kernels, each op once per instruction level, and links them into one addon.
//
//   node native/build.mjs                     build/fewbit.node, if anything changed
//   node native/build.mjs --test              builds and runs the C tests at every level of this CPU
//     --level NAME                            only that level
//     --cross aarch64                         cross-compiles and runs under qemu-aarch64
//     --sanitize                              with the address and undefined-behaviour sanitizers
//
//   --out DIR                                 another folder than build/
//   --strict                                  fail instead of continuing without native kernels
//
// Compiles as many files at a time as there are cores. Vector intrinsics come from headers of half a
// megabyte, which take as long as an op: gcc reads them once a level and keeps them precompiled.
//
// Runs when the package is installed, so it uses nothing but Node. CC names another compiler.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { sayBehindNpm, startProgress } from "./progress.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");

const baseFlags = [
  "-std=c11",
  "-O3",
  "-g1",
  "-fPIC",
  "-fvisibility=hidden",
  "-ffp-contract=off",
  "-fno-math-errno",
  "-Wall",
  "-Wextra",
  "-D_GNU_SOURCE",
];

const avx2 = ["-mavx2", "-mfma", "-mf16c", "-mbmi2"];
const avx512 = [...avx2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"];

/** Instruction levels by architecture; `extra` gives single files further instructions. */
const levelsOf = {
  x64: {
    portable: { flags: [] },
    avx2: { flags: avx2, extra: [{ suffix: "_avxvnni.c", flags: ["-mavxvnni"] }] },
    avx512: {
      flags: [...avx512, "-mprefer-vector-width=512"],
      extra: [
        { suffix: "_amx.c", flags: ["-mavx512bf16", "-mamx-tile", "-mamx-bf16", "-mamx-int8"] },
        { suffix: "_vnni.c", flags: ["-mavx512vnni"] },
        { suffix: "_vpopcnt.c", flags: ["-mavx512vpopcntdq"] },
        { suffix: "_bf16.c", flags: ["-mavx512bf16"] },
      ],
    },
  },
  arm64: {
    portable: { flags: ["-DFB_PORTABLE"] },
    neon: { flags: [], extra: [{ suffix: "_dotprod.c", flags: ["-march=armv8.2-a+dotprod"] }] },
  },
  other: { portable: { flags: ["-DFB_PORTABLE"] } },
};

function listFiles(folder, ending) {
  return readdirSync(join(here, folder))
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => join(here, folder, name));
}

function hashOf(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex");
}

/**
 * Hash of a source and of everything that it includes by a name in quotes, as the compiler would
 * find it.
 */
function sourceHash(file, known) {
  const found = known.get(file);
  if (found) return found;
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  known.set(file, ""); // a header that includes itself ends here
  const included = [...text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)];
  const parts = included.map(([, name]) => sourceHash(join(dirname(file), name), known));
  const hash = hashOf(text, ...parts);
  known.set(file, hash);
  return hash;
}

function runAsync(command, args, cwd) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", () => resolve(-1));
    child.on("exit", (code) => resolve(code ?? -1));
  });
}

/** Objects of a group of sources, and what is stale of them. */
function planGroup(folder, sources, flags, extra, salt) {
  mkdirSync(folder, { recursive: true });
  const known = new Map();
  const units = sources.map((source) => {
    const more = extra.find(({ suffix }) => source.endsWith(suffix))?.flags ?? [];
    const all = [...flags, ...more];
    const object = join(folder, basename(source).replace(/\.c$/, ".o"));
    const stamp = hashOf(salt, sourceHash(source, known), all.join(" "));
    return { source, object, stamp, flags: all, own: more.length > 0 };
  });
  return { folder, flags, units, stale: units.filter((unit) => !isCurrent(unit)) };
}

function isCurrent({ object, stamp }) {
  if (!existsSync(object) || !existsSync(`${object}.stamp`)) return false;
  return readFileSync(`${object}.stamp`, "utf8") === stamp;
}

/** Files below this number are compiled as fast with the headers themselves. */
const worthPrecompiling = 8;

/** Whether a source reads a header, by itself or through others. */
function reads(file, header, seen = new Set()) {
  if (basename(file) === header) return true;
  if (seen.has(file) || !existsSync(file)) return false;
  seen.add(file);
  const included = readFileSync(file, "utf8").matchAll(/^\s*#\s*include\s+"([^"]+)"/gm);
  return [...included].some(([, name]) => reads(join(dirname(file), name), header, seen));
}

/** Precompiles the vector headers with a group's flags; units that read them get `-include`. */
async function precompile(compiler, { folder, flags, stale }) {
  const readers = stale.filter(({ source, own }) => !own && reads(source, "vec.h"));
  if (!compiler.isGcc || readers.length < worthPrecompiling) return;
  const header = join(folder, `vectors-${process.pid}.h`);
  const includes = ["fewbit.h", "vec.h"].map(
    (name) => `#include "${join(here, "include", name)}"\n`,
  );
  writeFileSync(header, includes.join(""));
  const args = [...flags, "-x", "c-header", header, "-o", `${header}.gch`];
  if ((await runAsync(compiler.command, args, folder)) !== 0) return;
  for (const unit of readers) unit.prefix = ["-include", header];
}

function removePrecompiled({ folder }) {
  rmSync(join(folder, `vectors-${process.pid}.h`), { force: true });
  rmSync(join(folder, `vectors-${process.pid}.h.gch`), { force: true });
}

async function compileUnit(compiler, { source, object, stamp, flags, prefix = [] }) {
  const args = [...flags, ...prefix, "-c", source, "-o", object];
  if ((await runAsync(compiler.command, args, here)) !== 0) {
    throw new Error(`${compiler.command} failed on ${basename(source)}; its messages stand above`);
  }
  writeFileSync(`${object}.stamp`, stamp);
}

/** Runs jobs, as many at a time as there are cores; after a failure no other one is begun. */
async function runJobs(jobs) {
  const waiting = [...jobs];
  const next = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) {
      try {
        await job();
      } catch (error) {
        waiting.length = 0;
        throw error;
      }
    }
  };
  const workers = Array.from({ length: availableParallelism() }, next);
  const failed = (await Promise.allSettled(workers)).find(({ status }) => status === "rejected");
  if (failed) throw failed.reason;
}

/** Compiles the ops of every level and the files in `folders`, as far as they are stale. */
async function compileAll(target) {
  const { compiler, output, levels, folders, flags } = target;
  const salt = hashOf(compiler.version);
  const ops = listFiles("ops", ".c");
  const defines = Object.keys(levels).map((level) => `-DFB_WITH_${level.toUpperCase()}`);
  const groups = [
    ...Object.entries(levels).map(([level, { flags: own, extra = [] }]) => {
      const all = [...flags, ...own, `-DFB_LEVEL=${level}`];
      return planGroup(join(output, level), ops, all, extra, salt);
    }),
    ...folders.map(({ name, sources, flags: own = [] }) =>
      planGroup(join(output, name), sources, [...flags, ...own, ...defines], [], salt),
    ),
  ];
  await compileStale(compiler, groups);
  return groups.flatMap(({ units }) => units.map(({ object }) => object)).sort();
}

async function compileStale(compiler, groups) {
  const stale = groups
    .flatMap((group) => group.stale)
    .map((unit) => ({ unit, weight: statSync(unit.source).size }))
    .sort((a, b) => b.weight - a.weight);
  if (stale.length === 0) return;
  const jobs = Math.min(availableParallelism(), stale.length);
  const how = `${stale.length} files with ${basename(compiler.command)}, ${jobs} at a time`;
  const weights = stale.map(({ weight }) => weight);
  const progress = startProgress("native kernels", how, weights);
  try {
    await runJobs(groups.map((group) => () => precompile(compiler, group)));
    await runJobs(
      stale.map(({ unit, weight }) => async () => {
        await compileUnit(compiler, unit);
        progress.finished(weight);
      }),
    );
    progress.end();
  } catch (error) {
    progress.end(`fewbit: the native kernels could not be compiled: ${error.message}`);
    throw error;
  } finally {
    groups.forEach(removePrecompiled);
  }
}

function findCompiler(names) {
  for (const name of names) {
    if (!name) continue;
    const [command, ...args] = name.split(" ");
    const found = spawnSync(command, [...args, "--version"], { encoding: "utf8" });
    if (found.status !== 0) continue;
    const version = found.stdout;
    return { command, args, version, isGcc: version.includes("Free Software Foundation") };
  }
  return null;
}

function levelsFor(arch) {
  return levelsOf[arch] ?? levelsOf.other;
}

async function link(compiler, args, output) {
  const temporary = `${output}.${process.pid}.tmp`;
  if ((await runAsync(compiler, [...args, "-o", temporary], root)) !== 0) {
    throw new Error(`${compiler} could not link ${basename(output)}; its messages stand above`);
  }
  renameSync(temporary, output);
}

/**
 * Runs `body` while no other build works in `folder`; a lock of a process that is gone is taken
 * over.
 */
async function withLock(folder, body) {
  const lock = join(folder, "lock");
  mkdirSync(folder, { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (!isRunning(lock)) rmSync(lock, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  try {
    return await body();
  } finally {
    rmSync(lock, { force: true });
  }
}

function isRunning(lock) {
  try {
    const pid = Number(readFileSync(lock, "utf8"));
    return pid === 0 || process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Says why there will be no addon, and leaves the reason for the loader. */
function giveUp(build, reason) {
  const notice =
    `fewbit: no native kernels (slow TypeScript ones are used): ${reason}. ` +
    "Install gcc or clang, then run `node native/build.mjs`.";
  console.log(notice);
  sayBehindNpm(notice);
  try {
    mkdirSync(build, { recursive: true });
    rmSync(join(build, "fewbit.node"), { force: true });
    writeFileSync(join(build, "unavailable.txt"), `${reason}\n`);
  } catch {
    // A folder that cannot be written holds no addon either; the loader says so.
  }
}

/** Links the addon unless it was linked from exactly these objects. */
async function linkAddon(compiler, build, stampFile, objects) {
  const addon = join(build, "fewbit.node");
  const stamp = hashOf(...objects.map((object) => readFileSync(`${object}.stamp`)));
  if (existsSync(addon) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp)
    return;
  const shared =
    process.platform === "darwin" ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared"];
  const libraries = ["-lpthread", "-lm"];
  await link(compiler.command, [...compiler.args, ...shared, ...objects, ...libraries], addon);
  writeFileSync(stampFile, stamp);
  rmSync(join(build, "unavailable.txt"), { force: true });
}

async function buildAddon(build) {
  const wanted = process.env.CC;
  const compiler = findCompiler(wanted ? [wanted] : ["cc", "gcc", "clang"]);
  if (!compiler) throw new Error(wanted ? `CC=${wanted} does not run` : "no C compiler was found");
  const headers = createRequire(import.meta.url)("node-api-headers").include_dir;
  const output = join(build, "obj", process.arch);
  await withLock(output, async () => {
    const objects = await compileAll({
      compiler,
      output,
      levels: levelsFor(process.arch),
      flags: [...compiler.args, ...baseFlags],
      folders: [
        { name: "runtime", sources: listFiles("runtime", ".c"), flags: ["-isystem", headers] },
      ],
    });
    await linkAddon(compiler, build, join(output, "link.stamp"), objects);
  });
}

/** Builds the program that checks every op, and runs it. */
async function runTests({ cross, sanitize, level }, build) {
  const names = cross ? [`${cross}-linux-gnu-gcc`] : [process.env.CC ?? "cc", "gcc", "clang"];
  const compiler = findCompiler(names);
  if (!compiler) throw new Error(`no compiler (tried ${names.join(", ")})`);
  const arch = cross === "aarch64" ? "arm64" : process.arch;
  const checked = sanitize ? ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] : [];
  const output = join(build, "test", `${arch}${sanitize ? "-sanitize" : ""}`);
  const runtime = listFiles("runtime", ".c").filter((file) => !basename(file).startsWith("addon"));
  const program = join(output, "kernel-tests");
  await withLock(output, async () => {
    const objects = await compileAll({
      compiler,
      output,
      levels: levelsFor(arch),
      flags: [...compiler.args, ...baseFlags, ...(sanitize ? [...checked, "-O1"] : [])],
      folders: [{ name: "driver", sources: [...runtime, ...listFiles("test", ".c")] }],
    });
    const fixed = cross ? ["-static"] : [];
    const args = [...compiler.args, ...checked, ...fixed, ...objects, "-lpthread", "-lm"];
    await link(compiler.command, args, program);
  });
  const command = [...(cross ? [`qemu-${cross}`] : []), program, ...(level ? [level] : [])];
  const result = spawnSync(command[0], command.slice(1), { stdio: "inherit" });
  process.exitCode = result.status ?? 1;
}

const argv = process.argv.slice(2);
const valueOf = (flag) => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined);
const folder = resolve(valueOf("--out") ?? join(root, "build"));

if (argv.includes("--test")) {
  const options = { cross: valueOf("--cross"), level: valueOf("--level") };
  await runTests({ ...options, sanitize: argv.includes("--sanitize") }, folder);
} else {
  try {
    await buildAddon(folder);
  } catch (error) {
    if (argv.includes("--strict")) throw error;
    giveUp(folder, error.message);
  }
}
