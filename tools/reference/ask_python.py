"""Reads cases from standard input and writes a library's answers to standard output, as JSON.

Each answer_NAME.py beside this file calls `serve(answer, packages)`: `answer(case)` returns what the
library says; an exception is the answer {"refused": true}. FEWBIT_REFERENCE_VERBOSE=1 prints it.
"""

import importlib.metadata
import json
import os
import sys
import traceback


def serve(answer, packages):
    cases = json.load(sys.stdin)
    out = sys.stdout
    sys.stdout = sys.stderr
    answers = []
    for case in cases:
        try:
            answers.append(answer(case))
        except BaseException:
            if isinstance(sys.exc_info()[1], KeyboardInterrupt):
                raise
            if os.environ.get("FEWBIT_REFERENCE_VERBOSE"):
                traceback.print_exc()
            answers.append({"refused": True})
    versions = {name: importlib.metadata.version(name) for name in packages}
    json.dump({"versions": versions, "answers": answers}, out)
