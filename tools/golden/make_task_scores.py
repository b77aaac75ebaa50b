"""Golden log-likelihoods of the answers of multiple-choice items, by transformers in float32: a context and an
answer are encoded as one text, the tokens behind those of the context alone are the answer's, and the
model's start token comes first.
Writes test/golden/task-scores.json. Run: python tools/golden/make_task_scores.py ../shared/data
"""
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ITEMS = 8
MODELS = ["stories260K", "prose-6m"]
TASKS = ["piqa", "arc_easy"]

data = pathlib.Path(sys.argv[1])


def log_likelihood(model, tokenizer, context, continuation):
    stem = context.rstrip()
    whole = tokenizer.encode(context + continuation, add_special_tokens=False)
    count = len(whole) - len(tokenizer.encode(stem, add_special_tokens=False))
    ids = torch.tensor([[tokenizer.bos_token_id, *whole]])
    with torch.no_grad():
        scores = model(ids).logits[0].double().log_softmax(-1)
    return sum(scores[-count - 1 + i, token].item() for i, token in enumerate(whole[-count:]))


out = {}
for name in MODELS:
    model = AutoModelForCausalLM.from_pretrained(data / "models" / name, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(data / "models" / name)
    out[name] = {}
    for task in TASKS:
        lines = (data / "tasks" / f"{task}.jsonl").read_text(encoding="utf8").splitlines()[:ITEMS]
        items = [json.loads(line) for line in lines]
        out[name][task] = [
            [log_likelihood(model, tokenizer, item["query"], " " + choice) for choice in item["choices"]]
            for item in items
        ]

path = pathlib.Path(__file__).parents[2] / "test/golden/task-scores.json"
path.write_text(json.dumps(out) + "\n")
