import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import {
  type AnswerEvent,
  ChatServer,
  type Sampling,
  ServerError,
  type ServedModel,
} from "../server/server.ts";
import {
  type Answer,
  ask,
  changeAnswer,
  type Conversation,
  cutAt,
  newConversation,
  turnsFor,
} from "./conversation.ts";
import { keepSettings, loadSettings, type Settings } from "./kept.ts";
import { useConversations } from "./use-conversations.ts";

/** What is wrong, and what can be done about it. */
export interface Problem {
  readonly text: string;
  /** The server wants a key, or another one. */
  readonly needsKey: boolean;
}

/** Everything that the page shows, and what can be done to it. */
export interface Chat {
  readonly models: readonly ServedModel[];
  readonly problem: Problem | null;
  readonly settings: Settings;
  readonly conversations: readonly Conversation[];
  readonly current: Conversation;
  readonly change: (settings: Partial<Settings>) => void;
  readonly open: (id: string) => void;
  readonly begin: () => void;
  readonly update: (conversation: Conversation) => void;
  readonly remove: (id: string) => void;
  readonly take: (conversations: readonly Conversation[]) => void;
  readonly send: (question: string, instead?: string) => void;
  readonly stop: () => void;
  readonly refresh: () => void;
}

const refreshMs = 2000;

/** The state of the page; what is kept in the browser is kept with each change. */
export function useChat(): Chat {
  const [settings, setSettings] = useState(() => loadSettings(localStorage));
  const { conversations, setConversations, full } = useConversations();
  const [currentId, setCurrentId] = useState(() => conversations[0]?.id ?? newId());
  const [fresh, setFresh] = useState(() => newConversation(newId(), Date.now()));
  const writing = useRef(new Map<string, AbortController>());
  const server = useMemo(() => new ChatServer(settings.apiKey), [settings.apiKey]);
  const { models, problem, refresh } = useModels(server);
  const current = conversations.find(({ id }) => id === currentId) ?? fresh;

  useEffect(() => {
    keepSettings(localStorage, settings);
  }, [settings]);

  const put = (id: string, change: (conversation: Conversation) => Conversation): void =>
    setConversations((all) => all.map((each) => (each.id === id ? change(each) : each)));

  const answerColumn = async (
    conversation: Conversation,
    { exchange, column, sampling }: { exchange: string; column: number; sampling: Sampling },
  ): Promise<void> => {
    const { id } = conversation;
    const controller = new AbortController();
    const key = `${exchange}:${column}`;
    writing.current.set(key, controller);
    const change = (next: (answer: Answer) => Answer): void =>
      put(id, (each) => changeAnswer(each, { exchange, column }, next));
    const last = conversation.exchanges.at(-1);
    const model = last?.answers[column]?.model ?? "";
    const startedAt = performance.now();
    const turns = turnsFor(conversation, column);
    try {
      const events = server.answer(model, turns, sampling, controller.signal);
      for await (const events_ of gathered(events)) {
        const passed = performance.now() - startedAt;
        change((answer) => events_.reduce((all, event) => withEvent(all, event, passed), answer));
      }
    } catch (error) {
      const stopped = controller.signal.aborted;
      const message = error instanceof TypeError ? lostText : wordsOf(error).text;
      change((answer) =>
        stopped ? { ...answer, state: "stopped" } : { ...answer, state: "failed", error: message },
      );
    } finally {
      writing.current.delete(key);
      refresh();
    }
  };

  const stop = (): void => {
    for (const controller of writing.current.values()) controller.abort();
  };

  const send = (question: string, instead?: string): void => {
    const names = chosenModels(settings.models, models);
    if (question.trim() === "" || names.length === 0) return;
    stop();
    const kept = instead === undefined ? current : cutAt(current, instead);
    const exchange = newId();
    const asked = ask(kept, { id: exchange, question, models: names });
    setConversations((all) => [asked, ...all.filter(({ id }) => id !== asked.id)]);
    setCurrentId(asked.id);
    // Models that are compared draw by one seed.
    const seed = settings.sampling.seed ?? Math.floor(Math.random() * 2 ** 31);
    const sampling = { ...settings.sampling, seed };
    for (const column of names.keys()) void answerColumn(asked, { exchange, column, sampling });
  };

  return {
    models,
    problem: full ? { text: fullText, needsKey: false } : problem,
    settings,
    conversations,
    current,
    change: (changed) => setSettings((all) => ({ ...all, ...changed })),
    open: setCurrentId,
    begin: () => {
      const next = newConversation(newId(), Date.now());
      setFresh(next);
      setCurrentId(next.id);
    },
    update: (changed) => {
      if (changed.id === fresh.id && !conversations.some(({ id }) => id === changed.id)) {
        setFresh(changed);
      } else put(changed.id, () => changed);
    },
    remove: (id) => {
      if (id === current.id) stop();
      setConversations((all) => all.filter((each) => each.id !== id));
    },
    take: (taken) =>
      setConversations((all) => {
        const ids = new Set(taken.map(({ id }) => id));
        return [...taken, ...all.filter(({ id }) => !ids.has(id))];
      }),
    send,
    stop,
    refresh,
  };
}

const lostText = "The server was not reached, or the connection was lost before the answer ended.";
const fullText =
  "This browser has no more room for conversations: the latest changes are lost when the page is closed. Export and delete some.";

/** The models that are asked: those that were chosen and are there, else the first. */
export function chosenModels(
  wanted: readonly string[],
  models: readonly ServedModel[],
): readonly string[] {
  const there = wanted.filter((name) => models.some((model) => model.name === name));
  return there.length > 0 ? there : models.slice(0, 1).map(({ name }) => name);
}

function useModels(server: ChatServer): {
  readonly models: readonly ServedModel[];
  readonly problem: Problem | null;
  readonly refresh: () => void;
} {
  const [models, setModels] = useState<readonly ServedModel[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const refresh = (): void => {
    server.models().then(
      (found) => {
        setModels(found);
        setProblem(null);
      },
      (error: unknown) => setProblem(wordsOf(error)),
    );
  };
  useEffect(() => {
    refresh();
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") refresh();
    }, refreshMs);
    return () => clearInterval(timer);
  }, [server]);
  return { models, problem, refresh };
}

/** Events that came since the last look, once a frame: pages need not follow every token. */
async function* gathered(
  events: AsyncIterable<AnswerEvent>,
): AsyncGenerator<readonly AnswerEvent[], void, void> {
  let waiting: AnswerEvent[] = [];
  let shownAt = 0;
  for await (const event of events) {
    waiting.push(event);
    const now = performance.now();
    if (now - shownAt < 32 && event.type !== "end") continue;
    shownAt = now;
    yield waiting;
    waiting = [];
  }
  if (waiting.length > 0) yield waiting;
}

function withEvent(answer: Answer, event: AnswerEvent, passedMs: number): Answer {
  if (event.type === "text") {
    const { text, firstMs, pieces } = answer;
    return {
      ...answer,
      text: text + event.text,
      firstMs: firstMs ?? passedMs,
      pieces: pieces + 1,
      lastMs: passedMs,
    };
  }
  return { ...answer, state: "done", reason: event.reason, timings: event.timings };
}

function wordsOf(error: unknown): Problem {
  if (error instanceof ServerError) {
    const needsKey = error.status === 401;
    return { text: needsKey ? "This server asks for an API key." : error.message, needsKey };
  }
  if (error instanceof TypeError) {
    return { text: "The server does not answer. Is it still running?", needsKey: false };
  }
  return { text: error instanceof Error ? error.message : String(error), needsKey: false };
}

function newId(): string {
  // crypto.randomUUID is for safe origins only, which http://192.168… is none of.
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
