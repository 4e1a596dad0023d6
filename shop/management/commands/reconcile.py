"""Ask Stripe now for what its webhooks did not bring; the worker does the same every minute."""

from argparse import ArgumentParser
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management.base import BaseCommand, CommandError

from shop.reconcile import OLD_ENOUGH, REACH, Reconciler, Summary


class Command(BaseCommand):
    help = "Bring orders, refunds and events up to date with Stripe."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=int,
            default=int(OLD_ENOUGH.total_seconds()) // 60,
            metavar="MINUTES",
            help="ask for open orders of at least this age (default: %(default)s)",
        )
        parser.add_argument(
            "--days",
            type=int,
            default=REACH.days,
            help="fetch undelivered events of so many days; Stripe keeps 30 (default: %(default)s)",
        )
        parser.add_argument(
            "--delivered-too",
            action="store_true",
            help="fetch events, too, that were delivered: after a backup was restored (docs/operations.md)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="ask Stripe, but change nothing here or there"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        reconciler = Reconciler(
            older_than=timedelta(minutes=options["older_than"]),
            every_order=True,
            reach=timedelta(days=options["days"]),
            delivered_too=options["delivered_too"],
            dry_run=options["dry_run"],
            progress=self._show,
        )
        summary = async_to_sync(reconciler.run)()
        self._end_line()
        self._sum_up(summary, dry_run=options["dry_run"])
        if summary.stopped:
            raise CommandError(f"{summary.stopped} What is left is for the next run.")

    def _show(self, summary: Summary) -> None:
        if self.stderr.isatty():
            line = f"{summary.events_fetched} events, {summary.orders_asked} orders …"
            self.stderr.write(f"\r{line}", ending="")
            self.stderr.flush()

    def _end_line(self) -> None:
        if self.stderr.isatty():
            self.stderr.write("")

    def _sum_up(self, summary: Summary, *, dry_run: bool) -> None:
        if dry_run:
            self.stdout.write("Dry run: nothing was changed.")
        counts = {name: count for name, count in asdict(summary).items() if name != "stopped"}
        for name, count in counts.items():
            self.stdout.write(f"{name.replace('_', ' '):<16}{count:>8,}")
