"""What the e-mails say, in the active language: the words are here, the layout is in templates/email/.

`make messages` gathers what is to be translated into locale/.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from shop.forms import cart_query
from shop.models import FulfilmentStatus, Order, OrderChange, PaymentStatus, RefundStatus
from shop.money import formatted

What = OrderChange.What


@dataclass(frozen=True, slots=True)
class Action:
    """Something to click; `url` is absolute."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail, still without layout. `orders` are listed with their links, `receipt` in full."""

    subject: str
    headline: str
    paragraphs: Sequence[str]
    actions: Sequence[Action] = ()
    receipt: Order | None = None
    orders: Sequence[tuple[Order, str]] = ()


def letter(kind: str, order: Order, version: int, link: str) -> Letter | None:
    """About the change that made this version; `link` opens the order.

    None if meanwhile it is no longer so. Raises KeyError for a kind that there is not.
    """
    return _WRITERS[kind](order, version, link)


def links_letter(orders: Sequence[tuple[Order, str]]) -> Letter:
    """For who has lost the links to these orders."""
    return Letter(
        subject=_("The links to your orders"),
        headline=_("Here are your orders"),
        paragraphs=[
            _("Somebody, hopefully you, has asked us for the links to the orders of this e-mail address."),
            _("If it was not you, there is nothing to do: nobody else has been sent them."),
        ],
        orders=orders,
    )


def _order_confirmation(order: Order, version: int, link: str) -> Letter:
    total = formatted(order.amount_total, order.currency)
    return Letter(
        subject=_("Order %(number)s is paid") % {"number": order.number},
        headline=_("Thank you, it is paid"),
        paragraphs=[
            _("Your payment of %(amount)s has arrived, and the order is in our hands now.")
            % {"amount": total},
            _("We write again when it is on its way."),
        ],
        actions=[Action(_("See the order"), link)],
        receipt=order,
    )


def _payment_failed(order: Order, version: int, link: str) -> Letter | None:
    if order.payment_status != PaymentStatus.FAILED:
        return None  # the money has come after all
    again = f"{settings.PUBLIC_URL}{reverse('shop')}?{cart_query(order)}"
    return Letter(
        subject=_("The payment for order %(number)s did not go through") % {"number": order.number},
        headline=_("The payment did not go through"),
        paragraphs=[
            _("Your bank did not pay. Nothing was charged, and your things are back on the shelf."),
            _("If you still want them, choose them again, and pay by card or from another account."),
        ],
        actions=[Action(_("Choose again"), again), Action(_("See the order"), link)],
        receipt=order,
    )


def _refund(order: Order, version: int, link: str) -> Letter:
    refunds = [
        change for change in order.timeline if change.what == What.REFUND and change.version <= version
    ]
    this, so_far = refunds[-1].amount or 0, sum(_sent_back(change) for change in refunds)
    sums = {
        "amount": formatted(this, order.currency),
        "so_far": formatted(so_far, order.currency),
        "total": formatted(order.amount_total, order.currency),
    }
    if this == order.amount_total:
        share = _("That is all that you paid.")
    elif so_far >= order.amount_total:
        share = _("With this, all of the %(total)s that you paid is refunded.") % sums
    else:
        share = _("So far, %(so_far)s of the %(total)s that you paid is refunded.") % sums
    return Letter(
        subject=_("A refund for order %(number)s") % {"number": order.number},
        headline=_("We have sent you back %(amount)s") % sums,
        paragraphs=[share, _("It goes to where you paid from. Banks take five to ten days to show it.")],
        actions=[Action(_("See the order"), link)],
        receipt=order,
    )


def _sent_back(change: OrderChange) -> int:
    """By this change of a refund; below zero if a refund that had succeeded has failed after all."""
    went, came = change.after == RefundStatus.SUCCEEDED, change.before == RefundStatus.SUCCEEDED
    return (change.amount or 0) * (went - came)


def _shipped(order: Order, version: int, link: str) -> Letter | None:
    later = {change.after for change in order.timeline if change.version > version}
    if FulfilmentStatus.PREPARING in later:  # undone; if it is shipped again, that is another e-mail
        return None
    known = {"carrier": order.carrier, "number": order.number}
    track = [Action(_("Track it"), order.tracking_url)] if _is_web_address(order.tracking_url) else []
    how = _("%(carrier)s brings it to you.") % known if order.carrier else _("It has left our house.")
    return Letter(
        subject=_("Order %(number)s is on its way") % known,
        headline=_("Your order is on its way"),
        paragraphs=[how],
        actions=[*track, Action(_("See the order"), link)],
        receipt=order,
    )


def _is_web_address(url: str) -> bool:
    return url.startswith(("https://", "http://"))


_WRITERS: dict[str, Callable[[Order, int, str], Letter | None]] = {
    "order_confirmation": _order_confirmation,
    "payment_failed": _payment_failed,
    "refund": _refund,
    "shipped": _shipped,
}
