import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

interface Props {
  readonly conversationId: string;
  readonly writes: boolean;
  readonly disabled: boolean;
  readonly send: (question: string) => void;
  readonly stop: () => void;
}

/** Where a message is written: Enter sends, Shift+Enter begins a line. */
export function Composer({ conversationId, writes, disabled, send, stop }: Props) {
  const [draft, setDraft] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), [conversationId]);
  useEffect(() => {
    const box = field.current;
    if (!box) return;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 240)}px`;
  }, [draft]);
  const submit = (): void => {
    if (disabled || draft.trim() === "") return;
    send(draft);
    setDraft("");
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        ref={field}
        id="message"
        aria-label="Message"
        placeholder="Message"
        rows={1}
        value={draft}
        onInput={({ currentTarget }) => setDraft(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          submit();
        }}
      />
      {writes ? (
        <button type="button" class="main round" aria-label="Stop the answer" title="Stop (Esc)" onClick={stop}>
          <Icon name="stop" />
        </button>
      ) : (
        <button
          type="submit"
          class="main round"
          aria-label="Send the message"
          title="Send (Enter)"
          disabled={disabled || draft.trim() === ""}
        >
          <Icon name="send" />
        </button>
      )}
    </form>
  );
}
