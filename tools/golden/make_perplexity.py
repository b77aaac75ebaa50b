"""Golden perplexity of prose-6m over the first windows of its test text, by transformers in float32. The
reference values of the shared data are over the whole text, which takes too long for a test on one core.
Writes test/golden/perplexity.json. Run: python tools/golden/make_perplexity.py ../shared/data
"""
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

WINDOW, WINDOWS = 512, 32

data = pathlib.Path(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(data / "models/prose-6m", dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(data / "models/prose-6m")
text = (data / "text/prose/test.txt").read_text(encoding="utf8")
text = "".join(
    "\n" if line.rstrip("\n") == "<|doc|>" else line for line in text.splitlines(keepends=True)
)
ids = [tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)]

losses = []
with torch.no_grad():
    for start in range(0, WINDOW * WINDOWS, WINDOW):
        window = torch.tensor([ids[start : start + WINDOW]])
        losses.append(model(window, labels=window).loss.item())
perplexity = torch.tensor(losses, dtype=torch.float64).mean().exp().item()

out = pathlib.Path(__file__).parents[2] / "test/golden/perplexity.json"
out.write_text(json.dumps({"prose-6m": {"windows": WINDOWS, "perplexity": perplexity}}, indent=2) + "\n")
print(perplexity)
