"""E-mails: about an order's change to its buyer, once each; and links to who asks for them.

The row of an e-mail (shop.models.OrderEmail: order, kind, version) is written by the very statement that
makes the change it tells of, and only if the order has an address. The worker (shop/tasks.py) claims each row
that is due and sends it outside of any transaction; what fails or dies is due again later.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from email.utils import make_msgid
from functools import partial
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.crypto import salted_hmac
from django.utils.timezone import now

from shop import links, tracing
from shop.letters import Letter, letter, links_letter
from shop.models import LinksEmail, Order, OrderEmail
from shop.models.emails import LINKS_PAUSE
from shop.models.links import MOST_USES

log = logging.getLogger(__name__)

MOST_ORDERS = 10
RECENT = timedelta(days=90)
"""Which of an address's orders it can ask the links of."""


def send_due() -> None:
    """All that are due now and nobody else is sending."""
    for pk in list(OrderEmail.objects.due().values_list("pk", flat=True)):
        if OrderEmail.objects.claim(pk):
            email = OrderEmail.objects.select_related("order").get(pk=pk)
            with tracing.about(order=email.order.public_id):
                _send_or_say(email)


def send_links(address: str) -> None:
    """Mail the links to an address's newest orders, if it has any and was not sent them just now.

    That it was sent is written down afterwards: who dies in between sends it twice, rather than never. Two at
    the same moment would do so as well; see shop.tasks.send_links.
    """
    orders, address_hash = _orders_of(address), hash_of(address)
    just_now = LinksEmail.objects.filter(address_hash=address_hash, sent_at__gt=Now() - LINKS_PAUSE)
    if not orders or just_now.exists():
        return
    with translation.override(_language(orders[0])):
        message = _message(links_letter([(order, links.link_to(order)) for order in orders]), orders[0])
    message.extra_headers["Message-ID"] = make_msgid(domain=_domain())
    _post(message, then=partial(_mark_links_sent, address_hash))


def hash_of(address: str) -> str:
    """Names an address, however it is written, to who knows it already."""
    return salted_hmac("shop.emails", _folded(address), algorithm="sha256").hexdigest()


# --- one e-mail about an order --------------------------------------------------------------------


def _send_or_say(email: OrderEmail) -> None:
    try:
        _send(email)
    except Exception as error:  # noqa: BLE001  the others must not wait for it
        _say_that_it_failed(email, error)


def _send(email: OrderEmail) -> None:
    order = email.order
    with translation.override(_language(order)):
        message = _about(email)
    if message is None:
        log.warning("No e-mail %s for order %s: nobody to tell, or no longer so", email, order.public_id)
        email.delete()
        return
    # The same each time: if we die between sending it and writing that down, servers can tell it is the same.
    message.extra_headers["Message-ID"] = f"<{email.kind}.{email.version}.{order.public_id}@{_domain()}>"
    _post(message, then=email.mark_sent)


def _about(email: OrderEmail) -> EmailMultiAlternatives | None:
    order = email.order
    try:
        validate_email(order.email)  # Stripe has; but what is none must not be tried for days
    except ValidationError:
        return None
    written = letter(email.kind, order, email.version, links.link_to(order))
    return _message(written, order) if written else None


def _say_that_it_failed(email: OrderEmail, error: Exception) -> None:
    # By its kind only: what mail servers say quotes addresses.
    say = log.warning if email.due_at else log.critical
    end = "again later" if email.due_at else "given up"
    say("E-mail %s of order %s failed, %s: %s", email, email.order.public_id, end, type(error).__name__)


# --- links for who asks ---------------------------------------------------------------------------


def _orders_of(address: str) -> list[Order]:
    """Newest first. PostgreSQL takes more letters for the same than mail servers do: ſ for s, for example."""
    recent = Order.objects.filter(email__iexact=address, placed_at__gt=now() - RECENT).for_lists()
    return [order for order in recent[:MOST_ORDERS] if _folded(order.email) == _folded(address)]


def _mark_links_sent(address_hash: str) -> None:
    LinksEmail.objects.update_or_create(address_hash=address_hash, defaults={"sent_at": Now()})


def _folded(address: str) -> bytes:
    return address.encode().lower()  # bytes: ASCII letters only


# --- how -------------------------------------------------------------------------------------------


def _message(written: Letter, order: Order) -> EmailMultiAlternatives:
    """Text and HTML, to the address that stands in the order, whoever has asked for it."""
    context = {
        "letter": written,
        "language": translation.get_language(),
        "site": settings.PUBLIC_URL,
        "most_uses": MOST_USES,
        "days": links.LASTS.days,
    }
    message = EmailMultiAlternatives(
        written.subject,
        render_to_string("email/letter.txt", context),
        to=[order.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string("email/letter.html", context), "text/html")
    return message


def _post(message: EmailMultiAlternatives, then: Callable[[], None] = lambda: None) -> None:
    with get_connection() as line:
        line.send_messages([message])
        then()  # before hanging up, which may fail as well


def _language(order: Order) -> str:
    known = dict(settings.LANGUAGES)
    return order.language if order.language in known else settings.LANGUAGE_CODE


def _domain() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"
