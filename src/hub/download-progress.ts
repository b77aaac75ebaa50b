import { monotonicMs } from "../platform/node.ts";
import type { HubFile } from "./hub-file.ts";

/** How far the download of a model is. */
export interface DownloadProgress {
  /** `owner/name`. */
  readonly repo: string;
  readonly commit: string;
  /** The file that is at work, or was last. */
  readonly file: string;
  /** Its number, from 1, among the files that were missing. */
  readonly fileNumber: number;
  readonly files: number;
  /** Bytes that are there of all these files, those of earlier attempts included. */
  readonly bytes: number;
  readonly totalBytes: number;
  /** Null until there is something to go by. */
  readonly remainingMs: number | null;
}

/** Reports closer together than this help nobody. */
const pauseMs = 100;

/** Adds up what downloads of several files report, and passes it on a few times a second. */
export class DownloadMeter {
  private readonly about: Pick<DownloadProgress, "repo" | "commit" | "files" | "totalBytes">;
  private readonly report: (progress: DownloadProgress) => void;
  private readonly startedMs = monotonicMs();
  private reportedMs = Number.NEGATIVE_INFINITY;
  private doneBytes = 0;
  /** Bytes that were there before this process came, which say nothing about speed. */
  private foundBytes = 0;

  constructor(
    about: { readonly repo: string; readonly commit: string },
    files: readonly HubFile[],
    report: (progress: DownloadProgress) => void,
  ) {
    const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    this.about = { ...about, files: files.length, totalBytes };
    this.report = report;
  }

  /** Begins the next file; the function it returns takes the bytes of it that are there. */
  begin({ path, sizeBytes }: HubFile, index: number): (bytes: number) => void {
    const before = this.doneBytes;
    let found: number | null = null;
    return (bytes) => {
      const begins = found === null;
      if (found === null) {
        found = bytes;
        this.foundBytes += bytes;
      }
      this.doneBytes = before + bytes;
      const now = monotonicMs();
      const due = begins || bytes === sizeBytes || now - this.reportedMs >= pauseMs;
      if (!due) return;
      this.reportedMs = now;
      this.report({
        ...this.about,
        file: path,
        fileNumber: index + 1,
        bytes: this.doneBytes,
        remainingMs: this.remainingMs(now),
      });
    };
  }

  private remainingMs(now: number): number | null {
    const received = this.doneBytes - this.foundBytes;
    const elapsedMs = now - this.startedMs;
    if (received <= 0 || elapsedMs < 2 * pauseMs) return null;
    return ((this.about.totalBytes - this.doneBytes) * elapsedMs) / received;
  }
}
