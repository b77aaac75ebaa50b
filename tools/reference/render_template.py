"""Renders a chat template as `apply_chat_template` of transformers does, at a fixed time."""

import datetime

import transformers.utils.chat_template_utils as templates
from transformers.tokenization_utils_base import PreTrainedTokenizerBase


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 15, 4, 5)


templates.datetime = FixedTime


def render(template, tokens, chat):
    tokenizer = PreTrainedTokenizerBase(chat_template=template, **tokens)
    chat = {"add_generation_prompt": True, **chat}
    messages = chat.pop("messages")
    return tokenizer.apply_chat_template(messages, tokenize=False, **chat)
