import { useEffect, useRef, useState } from "preact/hooks";
import type { Conversation, Exchange } from "../state/conversation.ts";
import { isWriting } from "../state/conversation.ts";
import { AnswerView } from "./answer-view.tsx";
import { Icon } from "./icon.tsx";

interface Props {
  readonly conversation: Conversation;
  readonly models: readonly string[];
  readonly send: (question: string, instead?: string) => void;
}

/** The messages of a conversation. New text is followed unless the reader went up. */
export function Transcript({ conversation, models, send }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  useEffect(() => {
    follows.current = true;
  }, [conversation.id, conversation.exchanges.length]);
  const noteScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = box.current as HTMLDivElement;
    follows.current = scrollHeight - scrollTop - clientHeight < 48;
  };
  const { exchanges } = conversation;
  return (
    <div class="transcript" ref={box} onScroll={noteScroll} tabIndex={0} role="region" aria-label="Messages">
      {exchanges.length === 0 && <Empty models={models} />}
      {exchanges.map((exchange) => (
        <ExchangeView key={exchange.id} exchange={exchange} send={send} />
      ))}
      <Announcer conversation={conversation} />
    </div>
  );
}

function Empty({ models }: { readonly models: readonly string[] }) {
  const [first, second] = models;
  return (
    <div class="empty">
      <h2>{first === undefined ? "Waiting for a model" : `Ask ${second ? `${first} and ${second}` : first}`}</h2>
      <p>
        {first === undefined
          ? "The models are listed above as soon as the server answers."
          : second
          ? "Both answer the same message side by side, each with its speed."
          : "Write below. To compare two models on the same message, choose a second one above."}
      </p>
      <p>Conversations stay in this browser.</p>
    </div>
  );
}

function ExchangeView({ exchange, send }: { readonly exchange: Exchange; readonly send: Props["send"] }) {
  const { id, question, answers } = exchange;
  const [draft, setDraft] = useState<string | null>(null);
  const edit = useRef<HTMLTextAreaElement>(null);
  const isEditing = draft !== null;
  useEffect(() => edit.current?.focus(), [isEditing]);
  const finish = (): void => {
    if (draft !== null) send(draft, id);
    setDraft(null);
  };
  return (
    <section class="exchange" aria-label="Message and answers">
      {draft === null ? (
        <div class="question">
          <p>{question}</p>
          <div class="tools">
            <button type="button" aria-label="Edit this message" title="Edit" onClick={() => setDraft(question)}>
              <Icon name="edit" />
            </button>
            <button type="button" aria-label="Answer again" title="Answer again" onClick={() => send(question, id)}>
              <Icon name="retry" />
            </button>
          </div>
        </div>
      ) : (
        <form
          class="question editing"
          onSubmit={(event) => {
            event.preventDefault();
            finish();
          }}
        >
          <textarea
            ref={edit}
            aria-label="Message"
            rows={3}
            value={draft}
            onInput={({ currentTarget }) => setDraft(currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Escape") {
                event.stopPropagation();
                setDraft(null);
              }
              if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
                event.preventDefault();
                finish();
              }
            }}
          />
          <div class="tools">
            <button type="button" onClick={() => setDraft(null)}>
              Cancel
            </button>
            <button type="submit" class="main">
              Send
            </button>
          </div>
        </form>
      )}
      <div class={`answers columns-${answers.length}`}>
        {answers.map((answer, column) => (
          <AnswerView key={column} answer={answer} named={answers.length > 1} />
        ))}
      </div>
    </section>
  );
}

/** Tells screen readers when an answer is begun and when it is there, not each word of it. */
function Announcer({ conversation }: { readonly conversation: Conversation }) {
  const writes = isWriting(conversation);
  const wrote = useRef(false);
  const text = writes ? "The answer is being written." : wrote.current ? "The answer is there." : "";
  useEffect(() => {
    if (writes) wrote.current = true;
  }, [writes]);
  return (
    <p class="hidden" role="status">
      {text}
    </p>
  );
}
