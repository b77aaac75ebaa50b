"""Ids and texts by the library `tokenizers`, of files in ../shared/data beside the checkout.

A case is {"file": path in that folder, "texts": [text], "ids": [id]}; the answer is that of answer_tokenizers.py.
"""

import functools
import pathlib

from answer_tokenizers import answers
from ask_python import serve
from tokenizers import Tokenizer

DATA = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data"


@functools.lru_cache
def load(file):
    return Tokenizer.from_file(str(DATA / file))


serve(lambda case: answers(load(case["file"]), case), ["tokenizers"])
