/**
 * Cuts a stream of server-sent events into the texts of their `data` fields; comments and other
 * fields are left out. Parts of a stream may end anywhere.
 */
export class EventReader {
  private rest = "";
  private data: string[] = [];

  /** Takes the next part of the stream and returns the events that are whole. */
  push(part: string): string[] {
    const lines = (this.rest + part).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    const events: string[] = [];
    for (const line of lines) {
      if (line === "") this.finishEvent(events);
      else this.takeLine(line);
    }
    return events;
  }

  private takeLine(line: string): void {
    const match = /^data:? ?(.*)$/s.exec(line);
    if (match) this.data.push(match[1]);
  }

  private finishEvent(events: string[]): void {
    if (this.data.length > 0) events.push(this.data.join("\n"));
    this.data = [];
  }
}
