// Compiles the native kernels: one compiler call per instruction level, linked into one addon.
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
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

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

/** Compiles what is stale of a group of sources into `folder` with one call per set of flags. */
async function compile(compiler, folder, sources, flags, extra, salt) {
  mkdirSync(folder, { recursive: true });
  const known = new Map();
  const objects = [];
  const stale = new Map();
  for (const source of sources) {
    const more = extra.find(({ suffix }) => source.endsWith(suffix))?.flags ?? [];
    const all = [...flags, ...more];
    const object = join(folder, basename(source).replace(/\.c$/, ".o"));
    const stamp = hashOf(salt, sourceHash(source, known), all.join(" "));
    objects.push(object);
    if (existsSync(object) && existsSync(`${object}.stamp`)) {
      if (readFileSync(`${object}.stamp`, "utf8") === stamp) continue;
    }
    const key = all.join(" ");
    const group = stale.get(key) ?? { flags: all, items: [] };
    group.items.push({ source, object, stamp });
    stale.set(key, group);
  }
  for (const { flags: all, items } of stale.values()) {
    const args = [...all, "-c", ...items.map(({ source }) => source)];
    if ((await runAsync(compiler, args, folder)) !== 0) {
      throw new Error(`${compiler} failed on ${basename(folder)}; its messages stand above`);
    }
    for (const { object, stamp } of items) writeFileSync(`${object}.stamp`, stamp);
  }
  return objects;
}

/** Compiles the ops of every level and the files in `folders`, a few compiler calls at a time. */
async function compileAll(target) {
  const { compiler, output, levels, folders, flags } = target;
  const salt = hashOf(target.version);
  const ops = listFiles("ops", ".c");
  const defines = Object.keys(levels).map((level) => `-DFB_WITH_${level.toUpperCase()}`);
  const jobs = Object.entries(levels).map(([level, { flags: own, extra = [] }]) => () => {
    const all = [...flags, ...own, `-DFB_LEVEL=${level}`];
    return compile(compiler, join(output, level), ops, all, extra, salt);
  });
  for (const { name, sources, flags: own = [] } of folders) {
    jobs.push(() =>
      compile(compiler, join(output, name), sources, [...flags, ...own, ...defines], [], salt),
    );
  }
  const results = [];
  const next = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) results.push(await job());
  };
  await Promise.all(Array.from({ length: availableParallelism() }, next));
  return results.flat().sort();
}

function findCompiler(names) {
  for (const name of names) {
    if (!name) continue;
    const [command, ...args] = name.split(" ");
    const found = spawnSync(command, [...args, "--version"], { encoding: "utf8" });
    if (found.status === 0) return { command, args, version: found.stdout };
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
  console.log(
    `fewbit: no native kernels (slow TypeScript ones are used): ${reason}. ` +
      "Install gcc or clang, then run `node native/build.mjs`.",
  );
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
      compiler: compiler.command,
      version: compiler.version,
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
      compiler: compiler.command,
      version: compiler.version,
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
