"""Chat templates, by the package `transformers`.

A case is {"template": text, "variables": {...}}, rendered with these variables alone, or
{"template": text or texts by name, "chat": {...}, "tokens": {...}}: the arguments of
`apply_chat_template`, and the special tokens. The answer is the text.
"""

import datetime

import transformers.utils.chat_template_utils as templates
from ask_python import serve
from transformers.tokenization_utils_base import PreTrainedTokenizerBase


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 15, 4, 5)


templates.datetime = FixedTime


def answer(case):
    if "chat" in case:
        tokenizer = PreTrainedTokenizerBase(chat_template=case["template"], **case["tokens"])
        chat = dict(case["chat"])
        messages = chat.pop("messages")
        return tokenizer.apply_chat_template(messages, tokenize=False, **chat)
    return templates._compile_jinja_template(case["template"]).render(**case["variables"])


serve(answer, ["transformers", "jinja2"])
