"""Staff's page of one order: its addresses, and what is read off it."""

import re
from html import unescape
from typing import Any

from shop.models import Order
from tests import reading

HTMX = {"HX-Request": "true"}


def page(order: Order, action: str = "") -> str:
    """The address of the page, or of something that is done there."""
    return f"/dashboard/orders/{order.public_id}/" + (f"{action}/" if action else "")


def can(response: Any) -> set[str]:
    """What the page's style sheet lets be done."""
    return set(re.findall(r'data-can="([^"]*)"', response.text)[0].split())


def text(response: Any) -> str:
    """As it is read: no tags, no double spaces."""
    return reading.text(response.text)


def said(response: Any) -> str:
    """The answer on the spot."""
    answer: str = re.findall(r'hx-target="#answer".*?<p[^>]*>(.*?)</p>', unescape(response.text))[0]
    return answer
