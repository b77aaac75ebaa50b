"""Golden log-likelihoods of task items, by PyTorch and transformers in float32. Prompts, separators, tokenisation and
scoring follow the published rules of lm-evaluation-harness for each task (its task files and its Hugging Face model
class), written anew here; docs/tasks.md lists them and says what the data files do not allow. Examples in front of an
item are drawn with fewbit's generator (xoshiro128**), so that both sides see the same ones.
Writes test/golden/task-scores.json. Run: python tools/golden/make_task_scores.py ../shared/data
"""
import json
import math
import pathlib
import re
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ITEMS = 24
# babyllama has 256 tokens of context and about one token a character: only tasks of short answers fit.
MODELS = {
    "stories260K": None,
    "prose-6m": None,
    "babyllama-tok105": ["arc_easy", "winogrande", "boolq", "openbookqa", "lambada_openai"],
}
FILES = {"openbookqa": "openbook_qa", "hellaswag": "hellaswag_val_1000"}
SHOTS = {"arc_easy": 2, "winogrande": 2}
SEED = 7

data = pathlib.Path(sys.argv[1])
MASK = 0xFFFFFFFF


class Generator:
    """xoshiro128** of Blackman and Vigna, seeded by splitmix32."""

    def __init__(self, seed):
        self.state = []
        x = seed & MASK
        for _ in range(4):
            x = (x + 0x9E3779B9) & MASK
            z = ((x ^ (x >> 16)) * 0x85EBCA6B) & MASK
            z = ((z ^ (z >> 13)) * 0xC2B2AE35) & MASK
            self.state.append(z ^ (z >> 16))

    def uint32(self):
        def rotate(value, by):
            return ((value << by) | (value >> (32 - by))) & MASK

        s = self.state
        result = (rotate((s[1] * 5) & MASK, 7) * 9) & MASK
        shifted = (s[1] << 9) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotate(s[3], 11)
        return result

    def below(self, bound):
        high = self.uint32() >> 5
        return math.floor((high * 67108864 + (self.uint32() >> 6)) / 9007199254740992 * bound)


def prompts(task, doc):
    """All (context, continuation, answer) of a document, and which is right."""
    if task == "winogrande":
        rest = doc["continuation"]
        return [(context, " " + rest, rest) for context in doc["context_options"]], doc["gold"]
    if task == "lambada_openai":
        return [(doc["context"], " " + doc["continuation"], doc["continuation"])], 0
    query, choices = doc["query"], doc["choices"]
    if task == "piqa":
        query = f"{query[:-1]}\nAnswer:"
    elif task.startswith("arc"):
        query = f"{query}\nAnswer:"
    elif task == "boolq":
        query = f"{query[len('Passage: '):]}\nAnswer:"
    elif task == "siqa":
        form = r"Context: (.*)\nQuestion: (.*)\nChoices:\nA\. (.*)\nB\. (.*)\nAnswer:"
        context, question, *choices = re.fullmatch(form, query, re.S).groups()
        query = f"Q: {context} {question}\nA:"
    return [(query, " " + choice, choice) for choice in choices], doc["gold"]


def with_examples(task, docs, count, shots):
    """Prompts of the first documents, with answered examples in front."""
    items = [prompts(task, doc) for doc in docs]
    answered = [options[gold][0] + options[gold][1] for options, gold in items]
    out = []
    for index, (options, gold) in enumerate(items[:count]):
        generator = Generator(SEED + (index + 1) * 0x9E3779B1)
        left, front = list(range(len(items))), []
        while len(front) < shots:
            place = generator.below(len(left))
            text = answered[left[place]]
            left[place] = left[-1]
            left.pop()
            if text != answered[index]:
                front.append(text)
        lead = "".join(f"{example}\n\n" for example in front)
        out.append(([(lead + context, *rest) for context, *rest in options], gold))
    return out


def encode(tokenizer, context, continuation):
    """Spaces at the end of the context go to the continuation; both are encoded as one text."""
    kept = context.rstrip()
    continuation = context[len(kept):] + continuation
    front = tokenizer.encode(kept)
    whole = tokenizer.encode(kept + continuation)
    return front, whole[len(front):]


def score(model, tokenizer, length, context, continuation):
    """Log-likelihood of a continuation, and whether each of its tokens is the likeliest."""
    front, target = encode(tokenizer, context, continuation)
    assert 0 < len(target) <= length, continuation
    ids = torch.tensor([(front + target)[-(length + 1):][:-1]])
    with torch.no_grad():
        logits = model(ids).logits[0, -len(target):].float()
    places = torch.tensor(target)
    rows = logits.log_softmax(-1).double()
    return rows[range(len(target)), places].sum().item(), bool((logits.argmax(-1) == places).all())


def digits(values):
    return "".join(str(int(value)) for value in values)


def measure(model, tokenizer, length, items):
    found = [[score(model, tokenizer, length, option[0], option[1]) for option in options] for options, _ in items]
    sums = [[value for value, _ in scores] for scores in found]
    by_length = [
        [value / len(option[2]) for value, option in zip(values, options)]
        for values, (options, _) in zip(sums, items)
    ]
    return {
        "logLikelihoods": [[round(value, 5) for value in values] for values in sums],
        "gold": digits(gold for _, gold in items),
        "chosen": digits(values.index(max(values)) for values in sums),
        "chosenByLength": digits(values.index(max(values)) for values in by_length),
        "greedy": digits(scores[0][1] for scores in found),
    }


out = {"items": ITEMS, "seed": SEED, "models": {}}
for name, tasks in MODELS.items():
    model = AutoModelForCausalLM.from_pretrained(data / "models" / name, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(data / "models" / name)
    length = model.config.max_position_embeddings
    results = out["models"][name] = {}
    for path in sorted((data / "tasks").glob("*.jsonl")):
        task = {file: task for task, file in FILES.items()}.get(path.stem, path.stem)
        if tasks and task not in tasks:
            continue
        docs = [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]
        results[task] = measure(model, tokenizer, length, with_examples(task, docs, ITEMS, 0))
        if task in SHOTS:
            items = with_examples(task, docs, ITEMS, SHOTS[task])
            results[f"{task}, {SHOTS[task]} examples"] = measure(model, tokenizer, length, items)

path = pathlib.Path(__file__).parents[2] / "test/golden/task-scores.json"
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
