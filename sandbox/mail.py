"""The e-mails of a shop that sends none: each is a file in a folder, and a line on the terminal."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

END = b"\n" + b"-" * 79 + b"\n"
"""What Django writes after each e-mail (django.core.mail.backends.filebased)."""


def mailbox_url(folder: Path) -> str:
    """For EMAIL_URL. `folder` is absolute."""
    return f"filemail:///{quote(str(folder))}"


class Mailbox:
    """A folder, for its owner only: whoever reads an order's e-mail can open the order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, exist_ok=True)
        self._seen = {file: file.stat().st_size for file in path.glob("*.log")}

    def news(self) -> Iterator[str]:
        """A line for each e-mail since the last time: for whom, what about, its first link, its file."""
        for file in sorted(self.path.glob("*.log")):
            seen = self._seen.get(file, 0)
            if file.stat().st_size == seen:
                continue
            *letters, rest = file.read_bytes()[seen:].split(END)
            self._seen[file] = file.stat().st_size - len(rest)  # which is still being written
            for letter in letters:
                yield _line(message_from_bytes(letter, policy=policy.default), file)


def _line(message: EmailMessage, file: Path) -> str:
    body = message.get_body(("plain",))
    links = re.findall(r"https?://\S+", body.get_content() if body else "")
    words = f"Mail to {message['To']}: {message['Subject']}"
    line = " · ".join([words, *links[:1], str(file)])
    return "".join(letter for letter in line if letter.isprintable())  # nothing that steers a terminal
