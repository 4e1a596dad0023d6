"""A log-in, when a line on stdin asks for it: in a process of its own, because the one that keeps hundreds of
pages has its hands full just then, and its own delays are not the shop's.
"""

import os
import sys
import time
from html import unescape

import httpx

from tests.faults.browser import TOKEN

PATH = "/accounts/login/"


def main() -> None:
    """Writes "ready", and then the seconds that it took."""
    origin, username = sys.argv[1:]
    with httpx.Client(base_url=origin, headers={"Origin": origin}, trust_env=False, timeout=30) as client:
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        began = time.monotonic()
        found = TOKEN.search(client.get(PATH).text)
        assert found
        fields = {"csrfmiddlewaretoken": unescape(found[1]), "username": username}
        answer = client.post(PATH, data=fields | {"password": os.environ["LOG_IN_PASSWORD"]})
        assert answer.status_code == 302, answer.status_code
        print(time.monotonic() - began)  # noqa: T201


main()
