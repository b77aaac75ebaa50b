"""Writes test/golden/tokenizers.json: ids, texts and pieces by the `tokenizers` library (Rust).

Usage: python tools/golden/make_tokenizers.py SHARED_DATA_FOLDER > test/golden/tokenizers.json
Needs: pip install tokenizers
"""

import json
import sys
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

DATA = Path(sys.argv[1])

AWKWARD = [
    "",
    " ",
    "   ",
    "\n",
    "\n\n\n \n",
    " \t \t\t",
    "a",
    " a  b   c    d",
    "Hello, world! It's 3.14159 o'clock; she'll've said \"no\"...",
    "line one\nline two\r\nline three\n\n\tindented",
    "Füße und Äpfel — naïve café",
    "e\u0301 vs \u00e9 (combining and composed)",
    "日本語のテキスト、全角　スペース",
    "Быстрая лиса и ५ कुत्ते",
    "👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 🦙 llama",
    "\u00a0no-break\u2003em space\u200bzero width\u0085next line\ufeffmark",
    "\u0000\u0001\u007f control",
    "𝕬𝖑𝖕𝖍𝖆 𐍈 outside the basic plane",
    "12345678901234567890 1,000.50 ½ ² Ⅷ",
    "<s>special</s> <unk> <|endoftext|> <|end|>  after",
    "snake_case camelCase HTTPServer foo(bar[0]) != null;",
    "▁underline▁ and _ under",
    "x" * 70 + " " * 30 + "-" * 40,
]

PRE_TEXTS = [
    "Hello  there, it's 12 34\n\n x² ½-way! (ok)...  end ",
    " \u0085mark\ufeffed ５६ tab\tstop—dash ▁piece",
    "",
    "--a--b-c",
]


def split(pattern, behavior, invert=False):
    return pre_tokenizers.Split(pattern, behavior, invert)


def pre_tokenizer_cases():
    regex = tokenizers.Regex
    llama3 = (
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
        " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    )
    cases = [
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.ByteLevel(add_prefix_space=True),
        pre_tokenizers.Sequence(
            [split(regex(llama3), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
        ),
        pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
        ),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Punctuation(),
        pre_tokenizers.Punctuation("contiguous"),
        pre_tokenizers.Whitespace(),
        pre_tokenizers.WhitespaceSplit(),
        pre_tokenizers.BertPreTokenizer(),
        pre_tokenizers.CharDelimiterSplit("-"),
        pre_tokenizers.Metaspace(prepend_scheme="always"),
        pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
        pre_tokenizers.Metaspace(prepend_scheme="never"),
    ]
    for behavior in ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]:
        cases.append(split("-", behavior))
        cases.append(split(regex("[a-z]+"), behavior, True))
    for case in cases:
        holder = Tokenizer(models.BPE())
        holder.pre_tokenizer = case
        pieces = [[piece for piece, _ in case.pre_tokenize_str(text)] for text in PRE_TEXTS]
        yield {"config": json.loads(holder.to_str())["pre_tokenizer"], "pieces": pieces}


def gpt2():
    folder = DATA / "tokenizers" / "gpt2"
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def small_unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=48, unk_token="<unk>", special_tokens=["<unk>"])
    tokenizer.train_from_iterator(["a small model of small words", "more words, more models"] * 9, trainer)
    return tokenizer


def encodings(tokenizer):
    for text in AWKWARD:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        yield {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}


def main():
    real = {"gpt2": gpt2()}
    for name in ["models/prose-6m", "models/stories260K", "models/babyllama-tok105",
                 "tokenizers/phi3", "tokenizers/gpt-neox-20b"]:
        real[name] = Tokenizer.from_file(str(DATA / name / "tokenizer.json"))
    unigram = small_unigram()
    golden = {
        "madeWith": f"tokenizers {tokenizers.__version__}",
        "texts": AWKWARD,
        "tokenizers": {name: list(encodings(tokenizer)) for name, tokenizer in real.items()},
        "unigram": {"definition": json.loads(unigram.to_str()), "encodings": list(encodings(unigram))},
        "preTokenizers": {"texts": PRE_TEXTS, "cases": list(pre_tokenizer_cases())},
    }
    json.dump(golden, sys.stdout, ensure_ascii=True, separators=(",", ":"))
    print()


main()
