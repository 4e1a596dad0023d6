"""Pages as people read them."""

import re
from html import unescape


def text(html: str) -> str:
    """No tags, no double spaces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
