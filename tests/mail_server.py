"""A mail server as tests meet it: it speaks SMTP, keeps what it is given, and can have its troubles."""

import socketserver
import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

OK = "250 OK"


class MailServer:
    """`with MailServer() as server:` serves at `server.url` (an EMAIL_URL) until the end of the block.

    `letters` is what it has taken. Each of `answers` is used once, as the answer to an e-mail's text;
    `on_letter` is called before that answer is given.
    """

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.answers: list[str] = []
        self.on_letter: Callable[[], None] = lambda: None
        handler: Any = self._conversation  # a function will do, whatever the types say
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _conversation(self, request: Any, address: Any, server: Any) -> None:
        with request, request.makefile("rwb", buffering=0) as line:

            def say(words: str) -> None:
                line.write(f"{words}\r\n".encode())

            say("220 tests")
            while command := line.readline().strip().upper():
                if command.startswith(b"DATA"):
                    say("354 go on")
                    say(self._take(b"".join(iter(line.readline, b".\r\n"))))
                elif command.startswith(b"QUIT"):
                    say("221 bye")
                    return
                else:
                    say(OK)

    def _take(self, letter: bytes) -> str:
        self.on_letter()
        answer = self.answers.pop(0) if self.answers else OK
        if answer.startswith("2"):
            self.letters.append(message_from_bytes(letter, policy=policy.default))
        return answer
