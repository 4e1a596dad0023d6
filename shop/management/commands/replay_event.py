"""Do once more what a stored event says, unless that was done."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from shop.models import StripeEvent
from shop.webhooks import Purged, replay


class Command(BaseCommand):
    help = "Apply one of Stripe's events from the inbox again. Harmless if it was applied before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("event_id", metavar="evt_…")

    def handle(self, *args: Any, event_id: str, **options: Any) -> None:
        try:
            outcome = replay(event_id)
        except StripeEvent.DoesNotExist:
            raise CommandError(f"The inbox has no event {event_id}.") from None
        except Purged as purged:
            raise CommandError(f"Not replayed. {purged}") from None
        except Exception as error:
            raise CommandError(f"Failed again, and kept: {type(error).__name__}: {error}") from error
        self.stdout.write(f"{event_id}: {outcome.label}")
