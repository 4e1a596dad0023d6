"""What the worker does (`manage.py procrastinate worker`); jobs come from shop/jobs.py and from the clock."""

import asyncio
import logging
from collections.abc import Awaitable

from asgiref.sync import sync_to_async
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db.models.functions import Now
from procrastinate import JobContext, RetryStrategy, builtin_tasks
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation
from procrastinate.jobs import Status

from shop import emails, refunds, resets
from shop.alarm import Watch
from shop.jobs import defer_once
from shop.models import Allowance, LinksEmail, Order, OrderGrant, OrderLink, StripeEvent
from shop.models.emails import LINKS_PAUSE
from shop.models.events import PURGED_AT_ONCE
from shop.patience import Patience
from shop.reconcile import OLD_ENOUGH, Reconciler

log = logging.getLogger(__name__)

# After 3, 9, 27, … seconds, the last time a day later; then the job is left as failed, and the log says so.
GROWING_GAPS = RetryStrategy(max_attempts=10, exponential_wait=3)

LINKS_GAP = 120
"""Seconds. Who asks again meanwhile waits for the same job, so it must not be long."""
MOST_LINKS_TRIES = 10

RECONCILER_LASTS = 50
"""Seconds: what a run leaves is for the next minute's."""


watch = Watch()


@app.periodic(cron="* * * * *")
@app.task(lock="reconcile", queueing_lock="reconcile")
async def reconcile(timestamp: int) -> None:
    """Each minute, one at a time. While something is wrong with webhooks no order is too young to ask for."""
    until = asyncio.get_running_loop().time() + RECONCILER_LASTS
    older_than, every_order = OLD_ENOUGH, False
    try:
        heard = await sync_to_async(watch.look)()
        older_than, every_order = heard.old_enough, heard.alarming
    except Exception as error:  # noqa: BLE001  orders are asked for even if nobody knows how webhooks do
        log.error("The webhook alarm could not be read: %s", type(error).__name__)
    await Reconciler(older_than, every_order=every_order, patience=Patience(until)).run()


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="rescue_jobs")
async def rescue_jobs(timestamp: int) -> None:
    """Jobs whose worker was killed go to another one."""
    for job in await app.job_manager.get_stalled_jobs():
        log.warning("Job %s (%s) was left by its worker: once more", job.id, job.task_name)
        try:
            await app.job_manager.retry_job(job)
        except (AlreadyEnqueued, UniqueViolation):  # the next one waits already, and for this one's lock
            await app.job_manager.finish_job_by_id_async(job.id or 0, Status.FAILED, delete_job=True)


@app.periodic(cron="* * * * *")
@app.task(lock="send_order_emails", queueing_lock="send_order_emails")
def send_order_emails(timestamp: int) -> None:
    """All that are due: called after a change, and each minute for what was left. One at a time, and on a
    thread of its own: a mail server may take its time, but not all of the worker's.
    """
    emails.send_due()


@app.task
def send_links(*, email: str, tries: int = 0) -> None:
    """Somebody wants the links to the orders of this address, and waits for them: soon again, or not at all.

    One at a time for each address, by shop.jobs.defer_once, which is also why it has no `retry`.
    """
    try:
        emails.send_links(email)
    except Exception as error:
        if tries + 1 == MOST_LINKS_TRIES:
            raise
        log.warning("Links were not sent, again in %s s: %s", LINKS_GAP, type(error).__name__)
        defer_once("send_links", emails.hash_of(email), wait=LINKS_GAP, email=email, tries=tries + 1)


@app.task
def send_password_reset(*, email: str, tries: int = 0) -> None:
    """Somebody has forgotten the password of an account with this address; as `send_links` does."""
    try:
        resets.send_password_reset(email)
    except Exception as error:
        if tries + 1 == MOST_LINKS_TRIES:
            raise
        log.warning(
            "A link to a new password was not sent, again in %s s: %s", LINKS_GAP, type(error).__name__
        )
        lock = emails.hash_of(email)
        defer_once("send_password_reset", lock, wait=LINKS_GAP, email=email, tries=tries + 1)


@app.periodic(cron="17 4 * * *")
@app.task(queueing_lock="forget_what_is_over", pass_context=True)
async def forget_what_is_over(context: JobContext, timestamp: int) -> None:
    """What Stripe's events said, long after that was done; links, what they gave, and who was sent them;
    sessions that are over; who asked often, or was locked out; and jobs, failed ones too, after a month in
    which somebody could have looked.

    What cannot be forgotten keeps nothing else: when all has been tried, the job fails by an ExceptionGroup.
    """
    steps: tuple[Awaitable[object], ...] = (
        _purge_payloads(),
        OrderLink.objects.filter(expires_at__lt=Now()).adelete(),
        OrderGrant.objects.over().adelete(),
        LinksEmail.objects.filter(sent_at__lt=Now() - LINKS_PAUSE).adelete(),
        SessionStore.aclear_expired(),
        Allowance.objects.filter(full_at__lt=Now()).adelete(),
        AccessAttempt.objects.filter(attempt_time__lt=Now() - settings.AXES_COOLOFF_TIME).adelete(),
        builtin_tasks.remove_old_jobs(context, max_hours=30 * 24, remove_failed=True),
    )
    failed: list[Exception] = []
    for step in steps:
        try:
            await step
        except Exception as error:  # noqa: BLE001  raised below, with the others
            failed.append(error)
    if failed:
        raise ExceptionGroup("Not everything was forgotten", failed)


async def _purge_payloads() -> None:
    """Batch by batch: the worker has one thread for the database, which others wait for."""
    total, purged = 0, PURGED_AT_ONCE
    while purged == PURGED_AT_ONCE:
        purged = await sync_to_async(StripeEvent.objects.purge)()
        total += purged
    log.info("Purged the payloads of %s events", total)


@app.task(retry=GROWING_GAPS)
async def look_up_refunds(*, order_id: int) -> None:
    """Stripe told a sum that our refunds do not add up to."""
    await refunds.ask(await Order.objects.aget(pk=order_id))
