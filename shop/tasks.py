"""What the worker does (`manage.py procrastinate worker`); jobs come from shop/jobs.py and from the clock."""

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from shop import refunds
from shop.models import Order

# After 3, 9, 27, … seconds, the last time a day later; then the job is left as failed, and the log says so.
GROWING_GAPS = RetryStrategy(max_attempts=10, exponential_wait=3)


@app.task(retry=GROWING_GAPS)
async def look_up_refunds(*, order_id: int) -> None:
    """Stripe told a sum that our refunds do not add up to."""
    await refunds.ask(await Order.objects.aget(pk=order_id))
