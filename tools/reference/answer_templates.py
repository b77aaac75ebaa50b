"""Templates drawn from Jinja's grammar, by the package `transformers`.

A case is a template; it is rendered with the variables of template-variables.json. The answer is
the text.
"""

import json
import pathlib

from ask_python import serve
from render_template import render

variables = json.loads(pathlib.Path(__file__).with_name("template-variables.json").read_text())

serve(lambda template: render(template, {}, dict(variables)), ["transformers", "jinja2"])
