"""A scripted session of the official Python client against a server, unchanged.

    python session.py http://127.0.0.1:8080 [MODEL]
"""

import json
import sys

from openai import APIStatusError, NotFoundError, OpenAI

url = sys.argv[1].rstrip("/")
client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
model = sys.argv[2] if len(sys.argv) > 2 else client.models.list().data[0].id
messages = [{"role": "user", "content": "What is the capital of France?"}]
greedy = {"model": model, "temperature": 0}


def check(name, ok):
    print(("ok     " if ok else "FAILED ") + name)
    if not ok:
        sys.exit(1)


whole = client.chat.completions.create(**greedy, messages=messages, max_tokens=12)
text = whole.choices[0].message.content
check(f"chat: {text!r}", whole.usage.completion_tokens > 0)

pieces = client.chat.completions.create(
    **greedy, messages=messages, max_tokens=12, stream=True, stream_options={"include_usage": True}
)
pieces = list(pieces)
streamed = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
check("stream gives the same text", streamed == text)
check("stream ends with the usage", pieces[-1].usage.total_tokens == whole.usage.total_tokens)

place = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}
answer = client.chat.completions.create(
    **greedy,
    messages=messages,
    max_tokens=60,
    response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": place}},
)
check("json_schema", json.loads(answer.choices[0].message.content)["city"] in ("Paris", "Rome"))

tool = {"type": "function", "function": {"name": "visit", "parameters": place}}
answer = client.chat.completions.create(
    **greedy, messages=messages, max_tokens=80, tools=[tool],
    tool_choice={"type": "function", "function": {"name": "visit"}},
)
call = answer.choices[0].message.tool_calls[0]
check("tools", call.function.name == "visit" and "city" in json.loads(call.function.arguments))

vectors = client.embeddings.create(model=model, input=["Paris", "Rome"])
check("embeddings", len(vectors.data) == 2 and len(vectors.data[0].embedding) > 1)

echo = client.completions.create(**greedy, prompt="Paris is", max_tokens=1, echo=True, logprobs=1)
check("echo", echo.choices[0].text.startswith("Paris is"))

response = client.responses.create(**greedy, input="Say hello.", max_output_tokens=8)
check(f"responses: {response.output_text!r}", response.output_text != "")

try:
    client.chat.completions.create(model="none-such", messages=messages)
    check("errors", False)
except NotFoundError as error:
    check("errors", error.code == "model_not_found")
try:
    client.completions.create(**greedy, prompt="x", best_of=3)
    check("errors", False)
except APIStatusError as error:
    check("best_of is refused", error.status_code == 400 and error.param == "best_of")
