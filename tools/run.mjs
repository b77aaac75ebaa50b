// Prepares a checkout, then runs a program of it with the Node that is among the packages.
//
//   node tools/run.mjs tools/start.ts [arguments]     a script; TypeScript runs as it is
//   node tools/run.mjs vitest run [arguments]         a program of node_modules/.bin
//
// Preparing installs the packages when they are not those of the lockfile, and compiles the native
// kernels when they changed. Runs on Node 20 and newer and needs nothing but Node and npm. What it
// says goes to standard error.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const binaries = join(root, "node_modules", ".bin");
const windows = process.platform === "win32";
const oldestNode = [22, 18];

/** The child that is running; signals are passed on to it. */
let running = null;
/** The signal that asked to stop while preparing. */
let stopped = null;

const exitCodeOf = (signal) => 128 + (constants.signals[signal] ?? 0);

function say(line) {
  process.stderr.write(`${line}\n`);
}

function fail(what, fix) {
  say(`error  ${what}`);
  for (const line of fix.split("\n")) say(`       ${line}`);
  process.exit(1);
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), "utf8")).packages;
  } catch {
    return null;
  }
}

/**
 * Tells whether node_modules holds what the lockfile asks for; npm lists what it installed there.
 */
function packagesAreCurrent() {
  const wanted = readLock("package-lock.json");
  const installed = readLock(join("node_modules", ".package-lock.json"));
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === "") return true;
    return path in installed ? installed[path].version === version : optional === true;
  });
}

/**
 * Runs a command and gives its exit code and what it printed, which `onOutput` hears as it comes.
 */
function runQuietly(command, args, onOutput = () => {}) {
  return new Promise((done) => {
    const options = { cwd: root, stdio: ["ignore", "pipe", "pipe"], shell: windows };
    const child = spawn(command, args, options);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => onOutput((output += text)));
    }
    child.on("error", (error) => (output += `${error.message}\n`));
    child.on("close", (code) => {
      if (stopped) process.exit(exitCodeOf(stopped));
      done({ code: code ?? 1, output });
    });
    running = child;
  });
}

async function installPackages() {
  say("installing packages");
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  let heard = 0;
  const { code, output } = await runQuietly("npm", args, (text) => {
    // What the package's own install script says, as soon as it does.
    const lines = text.slice(heard).split("\n").slice(0, -1);
    heard = text.lastIndexOf("\n") + 1;
    for (const line of lines) if (line.startsWith("fewbit: ")) say(line);
  });
  if (code === 0) return;
  say(output.trimEnd());
  fail("npm could not install the packages", "npm's own words stand above");
}

/**
 * Builds the addon if it is not up to date, and lets it say how far it is; that it cannot be built
 * stops nothing.
 */
function compileKernels(node) {
  return new Promise((done) => {
    const args = [join(root, "native", "build.mjs")];
    const child = spawn(node, args, { cwd: root, stdio: ["ignore", 2, 2] });
    child.on("error", (error) =>
      fail(`${node} does not start: ${error.message}`, "remove node_modules"),
    );
    child.on("close", () => {
      if (stopped) process.exit(exitCodeOf(stopped));
      done();
    });
    running = child;
  });
}

/** The Node that runs the checkout: npm's `node` package, or else this one if it is new enough. */
function findNode() {
  const packaged = join(binaries, windows ? "node.cmd" : "node");
  if (existsSync(packaged)) {
    const path = realpathSync(packaged);
    if (spawnSync(path, ["--version"]).status === 0) return path;
  }
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) {
    return process.execPath;
  }
  return fail(
    `a checkout needs Node ${oldestNode.join(".")} or newer: this is ${process.versions.node}, ` +
      "and npm " +
      "did not install the one in the package `node`",
    "npm is probably set to run no install scripts: run `npm rebuild node " +
      "--ignore-scripts=false`,\n" +
      "or put a newer Node on the PATH; then try again",
  );
}

/** The file that Node has to run for a script's path or a program's name. */
function resolveProgram(name) {
  if (/\.[cm]?[jt]s$/.test(name)) return resolve(root, name);
  const link = join(binaries, name);
  if (existsSync(link)) return realpathSync(link);
  return fail(
    `there is no program ${name} in node_modules/.bin`,
    "look at the scripts in package.json",
  );
}

/** Starts the program in the caller's terminal and ends as it ends. */
function start(node, file, args) {
  const path = `${binaries}${delimiter}${process.env.PATH ?? ""}`;
  const child = spawn(node, [file, ...args], {
    stdio: "inherit",
    env: { ...process.env, PATH: path },
  });
  running = child;
  child.on("error", (error) =>
    fail(`${node} does not start: ${error.message}`, "remove node_modules"),
  );
  child.on("exit", (code, signal) => {
    if (!signal) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    process.exitCode = exitCodeOf(signal);
  });
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    stopped = signal;
    // A terminal sends Ctrl-C to the whole group; passing it on would make it look like two.
    const sentToAll = signal === "SIGINT" && process.stdin.isTTY;
    if (running && running.exitCode === null && !sentToAll) running.kill(signal);
  });
}

const [program, ...args] = process.argv.slice(2);
if (!program) fail("expected a script or a program to run", "node tools/run.mjs vitest run");
if (!packagesAreCurrent()) await installPackages();
const node = findNode();
await compileKernels(node);
start(node, resolveProgram(program), args);
