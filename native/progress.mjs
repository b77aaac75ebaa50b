// Says how far a build has come: on the terminal while it runs, also under npm, which hides what
// install scripts print; elsewhere in a line before and one after.
import { closeSync, openSync, writeSync } from "node:fs";

const installing = ["preinstall", "install", "postinstall", "prepare"];

/** Where a line can be written over: standard error, or behind npm's back the terminal itself. */
function openTerminal(
  { npm_lifecycle_event: event, npm_config_loglevel: level, CI } = process.env,
) {
  if (process.stderr.isTTY) return 2;
  const hidden = installing.includes(event) && level !== "silent" && !CI;
  if (!hidden || process.platform === "win32") return null;
  try {
    return openSync("/dev/tty", "w");
  } catch {
    return null; // there is none: a container, a service
  }
}

/** Writes to a terminal that may be gone by now. */
function write(terminal, text) {
  try {
    writeSync(terminal, text);
  } catch {
    // Progress is not worth a build.
  }
}

function seconds(milliseconds) {
  const whole = Math.max(1, Math.round(milliseconds / 1000));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/**
 * Opens the account of a build of parts whose weights tell how long each takes.
 * @param what what is being made: "native kernels"
 * @param how in how many parts, with what
 */
export function startProgress(what, how, weights) {
  const terminal = openTerminal();
  const started = Date.now();
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  let [done, count] = [0, 0];
  const opening = `fewbit: compiling ${what}, ${how}`;
  if (terminal === null) console.log(opening);
  else write(terminal, `${opening}\n`);
  return {
    /** A part is done. */
    finished(weight) {
      done += weight;
      count++;
      if (terminal === null) return;
      const elapsed = Date.now() - started;
      const left = count < 4 ? "" : `, ${seconds((elapsed * (whole - done)) / done)} left`;
      const share = Math.floor((100 * done) / whole);
      write(terminal, `\r\x1b[Kfewbit: ${share} %${left}`);
    },
    /** All is done, or `failure` says why not. */
    end(failure) {
      const took = seconds(Date.now() - started);
      const closing = failure ?? `fewbit: compiled ${what} in ${took}`;
      if (terminal === null) {
        if (!failure) console.log(closing);
        return;
      }
      write(terminal, `\r\x1b[K${closing}\n`);
      if (terminal !== 2) closeSync(terminal);
    },
  };
}

/** Says something on the terminal where npm hides what is printed. */
export function sayBehindNpm(text) {
  const terminal = openTerminal();
  if (terminal === null || terminal === 2) return;
  write(terminal, `${text}\n`);
  closeSync(terminal);
}
