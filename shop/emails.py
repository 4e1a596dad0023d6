"""An order's e-mails, as their buyer reads them.

The row of an e-mail (shop.models.OrderEmail: order, kind, version) is written by the very statement that
makes the change it tells of, and only if the order has an address. The worker's `send_order_emails` claims each
row that is due, outside of any transaction, and calls `send`; what fails or dies is due again later.
"""

from django.db.models.functions import Now

from shop.models import OrderEmail


def send(pk: int) -> None:
    """Send a claimed e-mail. Its Message-ID is the same each time, for servers to tell a repeated one."""
    OrderEmail.objects.filter(pk=pk).update(sent_at=Now())
