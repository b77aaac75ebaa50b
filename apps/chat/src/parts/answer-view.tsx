import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { formatDuration, formatRate } from "../format.ts";
import { type Block, MarkdownRenderer } from "../markdown.ts";
import type { Answer } from "../state/conversation.ts";

const markdown = new MarkdownRenderer(window);

/** What one model answered, with what it cost. */
export function AnswerView({ answer, named }: { readonly answer: Answer; readonly named: boolean }) {
  const { model, text, state, error } = answer;
  const before = useRef<readonly Block[]>([]);
  const blocks = useMemo(() => markdown.render(text, before.current), [text]);
  before.current = blocks;
  const body = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const whole = state === "writing" ? ":scope > :not(:last-child) pre" : "pre";
    for (const block of body.current?.querySelectorAll<HTMLElement>(whole) ?? []) addCopyButton(block);
  }, [blocks, state]);
  return (
    <article class={`answer ${state}`} aria-label={`Answer of ${model}`} aria-busy={state === "writing"}>
      {named && <h3 class="answer-model">{model}</h3>}
      {text === "" && state === "writing" && <p class="waiting">Reading…</p>}
      <div class="prose" ref={body}>
        {/* What is rendered was sanitised. */}
        {blocks.map(({ html }, i) => (
          <div key={i} dangerouslySetInnerHTML={{ __html: html }} />
        ))}
      </div>
      {error !== null && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      <Cost answer={answer} />
    </article>
  );
}

function Cost({ answer }: { readonly answer: Answer }) {
  const { state, reason, firstMs, pieces, lastMs, timings, text } = answer;
  const parts: string[] = [];
  if (state === "stopped") parts.push("stopped");
  if (reason === "length") parts.push("cut at the most tokens");
  if (state === "done" && text === "") parts.push("nothing was written");
  if (firstMs !== null) parts.push(`first token after ${formatDuration(firstMs)}`);
  if (!timings && firstMs !== null && pieces > 1) {
    parts.push(`${pieces} tokens at ${formatRate((1000 * (pieces - 1)) / Math.max(1, lastMs - firstMs))}/s`);
  }
  if (timings) {
    const { promptTokens, cachedTokens, promptPerSecond, answerTokens, answerPerSecond } = timings;
    const kept = cachedTokens > 0 ? `, ${cachedTokens} known` : "";
    const rate = promptPerSecond > 0 ? ` at ${formatRate(promptPerSecond)}/s` : "";
    parts.push(`prompt ${promptTokens} tokens${rate}${kept}`);
    const speed = answerPerSecond > 0 ? ` at ${formatRate(answerPerSecond)}/s` : "";
    parts.push(`answer ${answerTokens} tokens${speed}`);
  }
  return parts.length === 0 ? null : <p class="cost">{parts.join(" · ")}</p>;
}

/** Puts a button above a block of code that has none; keys can scroll the block. */
function addCopyButton(block: HTMLElement): void {
  if (block.parentElement?.className === "code") return;
  const code = block.textContent ?? "";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy this code");
  button.addEventListener("click", () => {
    const say = (word: string): void => {
      button.textContent = word;
      setTimeout(() => (button.textContent = "Copy"), 1500);
    };
    // Pages of other machines without https have no clipboard.
    if (!navigator.clipboard) say("Not allowed");
    else navigator.clipboard.writeText(code).then(() => say("Copied"), () => say("Not allowed"));
  });
  const frame = document.createElement("div");
  frame.className = "code";
  block.replaceWith(frame);
  block.tabIndex = 0;
  frame.append(button, block);
}
