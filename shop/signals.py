"""What the shop announces, always after the commit. Who listens is none of its business."""

from functools import partial

from django.db import transaction
from django.dispatch import Signal

order_changed = Signal()
"""`order_id`: the primary key of an order whose version rose. `order`: the same order as the transaction that
announces it has left it, read under its lock or just placed, so it is true for its version. Whatever else a
receiver wants it has to ask for itself."""

stock_changed = Signal()
"""`product_ids`: the primary keys of products whose version rose, a list."""

webhooks_recorded = Signal()
"""Something about Stripe's deliveries was written down: how fast they were, a repeated one, a refused one.
At most a few times a second for each process, from a thread of its own (shop/flight.py)."""


def announce(signal: Signal, **ids: object) -> None:
    """Send the signal once the surrounding transaction has committed, and never if it does not.

    A receiver that fails is logged by Django and cannot undo or fail what was committed.
    """
    transaction.on_commit(partial(signal.send_robust, sender=None, **ids), robust=True)
