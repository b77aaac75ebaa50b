import type { Checkpoint } from "../formats/checkpoint.ts";
import { fileStamp } from "../platform/node.ts";
import { openAnyCheckpoint } from "../runtime/open-checkpoint.ts";
import { FewbitError } from "../util/errors.ts";

/**
 * Files that work reads over some time, as they were when it began: size, time of change and inode.
 * A result of which a part was made from what a file was, and a part from what it became, is no
 * result.
 */
export class SourceFiles {
  private readonly stamps = new Map<string, string | null>();

  /** Notes files as they are now; those that are noted already stay as they were noted. */
  async add(paths: Iterable<string>): Promise<void> {
    for (const path of paths) {
      if (!this.stamps.has(path)) this.stamps.set(path, await fileStamp(path));
    }
  }

  /** Notes the files of a checkpoint: weights as they were when it was opened, others as now. */
  async addCheckpoint(checkpoint: Checkpoint): Promise<void> {
    for (const { path, stamp } of checkpoint.weightFiles) this.stamps.set(path, stamp);
    await this.add(await checkpoint.files.sources());
  }

  /** Notes the files of the checkpoint at a path. @throws as `openAnyCheckpoint` */
  async addDirectory(path: string): Promise<void> {
    const checkpoint = await openAnyCheckpoint(path);
    await checkpoint.close();
    await this.addCheckpoint(checkpoint);
  }

  /** @throws FewbitError (code `FILE`) that names a file which is not what it was */
  async expectUnchanged(): Promise<void> {
    for (const [path, stamp] of this.stamps) {
      if ((await fileStamp(path)) === stamp) continue;
      throw new FewbitError("FILE", `${path} was changed while it was in use`, {
        hint: "do not change the files of a model or its texts meanwhile; run it again",
      });
    }
  }
}
