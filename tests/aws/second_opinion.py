"""Signs requests with botocore: a JSON array of them on stdin, an array of `Authorization` values on stdout."""

import base64
import datetime
import json
import sys

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def authorization(asked):
    headers = {"Host": asked["host"]}
    if asked["content_type"] is not None:
        headers["Content-Type"] = asked["content_type"]
    request = AWSRequest(
        method=asked["method"],
        url=f"https://{asked['host']}{asked['path']}",
        headers=headers,
        data=base64.b64decode(asked["body"]),
    )
    time = datetime.datetime.strptime(asked["time"], "%Y-%m-%dT%H:%M:%SZ")
    botocore.auth.get_current_datetime = lambda: time
    credentials = Credentials(asked["access_key"], asked["secret_key"], asked["token"])
    botocore.auth.SigV4Auth(credentials, asked["service"], asked["region"]).add_auth(request)
    return request.headers["Authorization"]


def main():
    json.dump([authorization(asked) for asked in json.load(sys.stdin)], sys.stdout)


main()
