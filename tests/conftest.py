"""Fixtures that more than one behaviour needs. Services come from `python -m sandbox services -- pytest`."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests import stripe_events


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def deliver(client: Client) -> Callable[..., Any]:
    """Deliver an event as Stripe does: signed, by POST."""

    def post(event: dict[str, Any], **how: Any) -> Any:
        body, headers = stripe_events.signed(event, **how)
        return client.post("/stripe-webhook/", body, content_type="application/json", headers=headers)

    return post
