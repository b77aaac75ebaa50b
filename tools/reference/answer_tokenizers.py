"""Ids and texts by the library `tokenizers`.

A case is {"definition": object, "texts": [text], "ids": [id]}; the answer has for each text its
ids, and those with special tokens around it; and the decoded text of each of these and of "ids", with
and without special tokens. What raises an exception is {"refused": true}.
"""

import json

from ask_python import serve
from tokenizers import Tokenizer

def attempt(work):
    try:
        return work()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return {"panicked": True} if type(error).__name__ == "PanicException" else {"refused": True}


def answers(tokenizer, case):
    """The ids and texts of a case by one tokenizer."""
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def decoded(ids):
        return [attempt(lambda: tokenizer.decode(ids, skip_special_tokens=skip)) for skip in (False, True)]

    def encoded(text):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        around = tokenizer.encode(text, add_special_tokens=True).ids
        return [ids, around, *decoded(around)]

    return [[attempt(lambda: encoded(text)) for text in case["texts"]], decoded(case["ids"])]


def answer(case):
    return answers(Tokenizer.from_str(json.dumps(case["definition"])), case)


if __name__ == "__main__":
    serve(answer, ["tokenizers"])
