"""Chat templates with conversations, by the package `transformers`.

A case is {"template": name of a file, "conversation": place in chat-conversations.json}; the answer
is the text. FEWBIT_TEMPLATES is the folder of the templates, beside this file without it.
"""

import json
import os
import pathlib

from ask_python import serve
from render_template import render

here = pathlib.Path(__file__).parent
folder = pathlib.Path(os.environ.get("FEWBIT_TEMPLATES", here / "chat-templates"))
conversations = json.loads((here / "chat-conversations.json").read_text("utf-8"))
tokens = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def answer(case):
    source = (folder / case["template"]).read_bytes().decode("utf-8")
    return render(source, tokens, conversations[case["conversation"]])


serve(answer, ["transformers", "jinja2"])
