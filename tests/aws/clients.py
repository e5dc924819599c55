"""Asks Bedrock as an unmodified program would.

clients.py OPERATION BASE_URL MODEL [--prompt-bytes N] [--tamper]

Credentials come from the environment, as the clients define it: $AWS_BEARER_TOKEN_BEDROCK or $AWS_ACCESS_KEY_ID and the
like, $AWS_REGION, $AWS_CA_BUNDLE (boto3) and $SSL_CERT_FILE (anthropic). Every host name leads to this machine. Prints
one JSON line: the answer's text and the pieces that it came in, or the class, code, status and message of the exception.
"""

import argparse
import json
import socket

resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **named: resolve("127.0.0.1", *rest, **named)

parser = argparse.ArgumentParser()
parser.add_argument("operation")
parser.add_argument("base_url")
parser.add_argument("model")
parser.add_argument("--prompt-bytes", type=int, default=6)
parser.add_argument("--tamper", action="store_true", help="boto3: change the body after it was signed")
options = parser.parse_args()
prompt = "Hello?".ljust(options.prompt_bytes, "x")
turn = [{"role": "user", "content": prompt}]


def boto3_pieces(operation: str) -> list[str]:
    import boto3
    from botocore.config import Config

    config = Config(retries={"total_max_attempts": 1}, read_timeout=50)
    client = boto3.client("bedrock-runtime", endpoint_url=options.base_url, config=config)
    if options.tamper:
        client.meta.events.register("before-send", tamper)
    if operation.startswith("invoke"):
        body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": turn})
        asked = {"modelId": options.model, "body": body}
        if operation == "invoke":
            answer = json.load(client.invoke_model(**asked)["body"])
            return [block["text"] for block in answer["content"]]
        chunks = client.invoke_model_with_response_stream(**asked)["body"]
        events = [json.loads(event["chunk"]["bytes"]) for event in chunks]
        return [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    asked = {"modelId": options.model, "messages": [{"role": "user", "content": [{"text": prompt}]}]}
    if operation == "converse":
        return [block["text"] for block in client.converse(**asked)["output"]["message"]["content"]]
    events = client.converse_stream(**asked)["stream"]
    return [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]


def tamper(request, **_):
    body = request.body if isinstance(request.body, bytes) else request.body.encode()
    request.body = body.replace(b"Hello?", b"Hello!")


def anthropic_pieces(operation: str) -> list[str]:
    import anthropic

    client = anthropic.AnthropicBedrock(base_url=options.base_url, max_retries=0, timeout=50)
    asked = {"model": options.model, "max_tokens": 5, "messages": turn}
    if operation == "create":
        return [block.text for block in client.messages.create(**asked).content]
    with client.messages.stream(**asked) as stream:
        return list(stream.text_stream)


def shown(error: Exception) -> dict:
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        code, status = answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
        message, headers = answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPHeaders"]
    else:
        code, status, message = None, getattr(error, "status_code", None), str(error)
        headers = dict(answer.headers) if answer is not None else {}
    return {"class": type(error).__name__, "code": code, "status": status, "message": message, "headers": headers}


try:
    vendor, operation = options.operation.split("-", 1)
    pieces = {"boto3": boto3_pieces, "anthropic": anthropic_pieces}[vendor](operation)
    print(json.dumps({"text": "".join(pieces), "pieces": pieces}))
except Exception as error:
    print(json.dumps(shown(error)))
