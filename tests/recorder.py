"""The flight recorder as staff see it at the dashboard, and the deliveries that stand in it."""

import re
from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shop.models import Outcome, StripeEvent
from tests import factories
from tests.reading import text

RECORDER = "/dashboard/webhooks/"


def kept(event: dict[str, Any]) -> StripeEvent:
    return StripeEvent.objects.get(pk=event["id"])


def measured(event: dict[str, Any]) -> StripeEvent | None:
    """The row of an event, once its times are in it."""
    row = kept(event)
    return row if row.commit_seconds is not None else None


def many(count: int, **fields: Any) -> None:
    """Events of the past, a second apart, the newest first."""
    now = timezone.now()
    defaults = {"type": "customer.created", "created": now, "payload": "{}", "outcome": Outcome.IGNORED}
    StripeEvent.objects.bulk_create(
        StripeEvent(
            id=f"evt_{number}",
            received_at=now - timedelta(seconds=number),
            last_received_at=now - timedelta(seconds=number),
            **defaults | fields,
        )
        for number in range(count)
    )


def browser_of(*rights: str) -> Client:
    """Of a member of staff with these rights, or with all."""
    return factories.browser_of(factories.staff(*rights))


def page(staff: Client, **query: str) -> Any:
    return staff.get(RECORDER, query)


def rows(response: Any) -> list[str]:
    """Each delivery of the list, as it is read."""
    assert response.status_code == 200
    return [text(row) for row in re.findall(r'<li class="delivery".*?</li>', response.text, re.DOTALL)]


def address(event_id: str, action: str = "") -> str:
    """Of an event's payload, or of what is done with it."""
    return reverse(f"dashboard:{action or 'payload'}", args=[event_id])
