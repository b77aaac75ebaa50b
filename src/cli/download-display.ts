import type { DownloadProgress } from "../hub/download-progress.ts";
import { formatBytes, formatPlural, printable } from "../report/format.ts";
import { formatProgressLog, type Progress } from "../report/progress.ts";
import type { Terminal } from "./terminal.ts";

/** About how many lines of a download a log gets, whatever its size. */
const logLines = 10;

/** Shows a model's download on standard error: a bar where it can be redrawn, else some lines. */
export class DownloadDisplay {
  private readonly terminal: Terminal;
  private latest: DownloadProgress | null = null;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  /** Takes how far the download is. */
  readonly handle = (event: DownloadProgress): void => {
    const { terminal, latest } = this;
    const begins = latest === null || latest.repo !== event.repo || latest.bytes > event.bytes;
    this.latest = event;
    if (begins) {
      const parts = [formatPlural(event.files, "file"), formatBytes(event.totalBytes)];
      terminal.log(["", `  downloading ${printable(event.repo)} · ${parts.join(" · ")}`]);
    }
    const ended = event.bytes === event.totalBytes;
    if (terminal.redraws) {
      if (ended) terminal.clearProgress();
      else terminal.progress(progressOf(event));
      return;
    }
    const steps = (at: DownloadProgress | null): number =>
      at === null ? 0 : Math.floor((logLines * at.bytes) / Math.max(1, at.totalBytes));
    if (steps(event) <= (begins ? 0 : steps(latest))) return;
    const details = [`${formatBytes(event.bytes)} of ${formatBytes(event.totalBytes)}`];
    terminal.log([`  ${formatProgressLog(progressOf(event), details)}`]);
  };
}

function progressOf(event: DownloadProgress): Progress {
  return {
    noun: "file",
    current: event.fileNumber,
    total: event.files,
    fraction: event.totalBytes === 0 ? 1 : event.bytes / event.totalBytes,
    activity: `${formatBytes(event.bytes)} of ${formatBytes(event.totalBytes)}`,
    remainingMs: event.remainingMs,
  };
}
