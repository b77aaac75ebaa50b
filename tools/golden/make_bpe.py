"""Writes test/golden/bpe.json: byte-level BPE trained by the `tokenizers` library (Rust), and what it encodes.

Usage: python tools/golden/make_bpe.py > test/golden/bpe.json
Needs: pip install tokenizers
"""

import json
import sys

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

SYLLABLES = "ka lo mi ren ta su ven dor el ing an ish été ß мы 語 🦙 o' 's".split()
MARKS = [" ", " ", " ", " ", " ", "\n", "\n\n", ", ", ". ", "  ", " 1", " 27", " 300 ", "!\t", "-"]
ENCODED = [
    "",
    "kalomi renta, suven 273 dor.\n\nelish",
    "never seen: 日本語, ½ and \u0000 \ufeff <s> </s> x\r\n",
    "aaaaaaaa 1000000 'stavening",
]


def training_text():
    """Words of few syllables, so that many pairs occur alike."""
    state = 12345
    parts = []

    def draw(n):
        nonlocal state
        state = (1103515245 * state + 12345) % 2**31
        return (state >> 8) % n

    for _ in range(700):
        parts += [SYLLABLES[min(draw(19), draw(19))] for _ in range(1 + draw(3))]
        parts.append(MARKS[draw(len(MARKS))])
    return "".join(parts) + "aaaaa aaa aaaa aa" * 3


def train(text, digits, vocabulary_size, min_frequency):
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    single = pre_tokenizers.Digits(individual_digits=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Sequence([single, byte_level]) if digits == "single" else byte_level
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=min_frequency,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    model = json.loads(tokenizer.to_str())["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return {
        "digits": digits,
        "vocabularySize": vocabulary_size,
        "minFrequency": min_frequency,
        "merges": merges,
        "tokens": len(model["vocab"]),
        "encoded": [
            {
                "text": text,
                "ids": tokenizer.encode(text, add_special_tokens=False).ids,
                "idsWithStart": tokenizer.encode(text).ids,
            }
            for text in ENCODED
        ],
    }


text = training_text()
cases = [train(text, "runs", 520, 2), train(text, "single", 400, 2), train(text, "runs", 5000, 3)]
json.dump(
    {"tokenizers": tokenizers.__version__, "text": text, "cases": cases},
    sys.stdout,
    ensure_ascii=True,
)
print()
