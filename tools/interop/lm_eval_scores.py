"""lm-evaluation-harness' local-completions on a file of items, through a server.

    python lm_eval_scores.py URL TOKENIZER TASK.jsonl [LIMIT]

A line of the file has `query`, `choices` and `gold`: docs/tasks.md.
"""

import json
import sys

from lm_eval.api.instance import Instance
from lm_eval.models.openai_completions import LocalCompletionsAPI

url, tokenizer, path = sys.argv[1:4]
limit = int(sys.argv[4]) if len(sys.argv) > 4 else None
with open(path) as file:
    items = [json.loads(line) for line in file if line.strip()][:limit]

model = LocalCompletionsAPI(
    base_url=f"{url.rstrip('/')}/v1/completions",
    pretrained="default",
    tokenizer=tokenizer,
    tokenizer_backend="huggingface",
    tokenized_requests=True,
    add_bos_token=True,
    num_concurrent=2,
    max_length=int(sys.argv[5]) if len(sys.argv) > 5 else 256,
)
model.model = None  # the server's first
requests = []
for index, item in enumerate(items):
    for choice in item["choices"]:
        pair = (item["query"], " " + choice)
        requests.append(Instance("loglikelihood", item, pair, index, metadata=("t", index, 1)))
scores = model.loglikelihood(requests)
at = 0
right = 0
sums = []
for item in items:
    own = [value for value, _ in scores[at : at + len(item["choices"])]]
    at += len(own)
    sums.append(own)
    right += own.index(max(own)) == item["gold"]
print(json.dumps({"accuracy": right / len(items), "logLikelihoods": sums}))
