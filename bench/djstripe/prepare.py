"""Make the tables, and write down the endpoint that Stripe sends to, as dj-stripe's admin does.

    python -m bench.djstripe.prepare UUID

The account behind it is asked for now, once, and not when the first event comes.
"""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.djstripe.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from djstripe.models import Account, WebhookEndpoint  # type: ignore[import-not-found]  # noqa: E402

call_command("migrate", run_syncdb=True, verbosity=0)
WebhookEndpoint.objects.create(
    id="we_bench",
    djstripe_uuid=sys.argv[1],
    djstripe_owner_account=Account.get_or_retrieve_for_api_key(os.environ["STRIPE_SECRET_KEY"]),
    url="https://shop.example/stripe/webhook/",
    secret=os.environ["STRIPE_WEBHOOK_SECRET"],
    enabled_events=["*"],
    status="enabled",
    livemode=False,
)
