"""Asks a service as an unmodified program would: with the vendor's SDK, and the caller's token where the API key goes.

ask.py openai|azure|anthropic BASE_URL HOST, the token in $TOKEN (may be empty). Prints one JSON line: the answer's text,
or the class, status and sentence of the SDK's exception.
"""

import json
import os
import sys

import anthropic
import openai

sdk, base_url, host = sys.argv[1:]
token = os.environ["TOKEN"]
common = {"base_url": base_url, "default_headers": {"Host": host}, "max_retries": 0, "timeout": 20}
messages = [{"role": "user", "content": "Hello?"}]


def ask() -> str:
    if sdk == "anthropic":
        client = anthropic.Anthropic(api_key=token, **common)
        return client.messages.create(model="claude", max_tokens=5, messages=messages).content[0].text
    if sdk == "azure":
        common["azure_endpoint"] = common.pop("base_url")
        client = openai.AzureOpenAI(api_key=token, api_version="2024-10-21", **common)
    else:
        client = openai.OpenAI(api_key=token, **common)
    return client.chat.completions.create(model="gpt", messages=messages).choices[0].message.content


try:
    print(json.dumps({"text": ask()}))
except (openai.APIStatusError, anthropic.APIStatusError) as error:
    challenge = error.response.headers.get("www-authenticate")
    shown = {"class": type(error).__name__, "status": error.status_code, "sentence": str(error), "challenge": challenge}
    print(json.dumps(shown))
