"""What the e-mails say, and in which language."""

import re
from html import unescape

import pytest
from django.utils import translation

from sandbox import messages
from shop import emails
from shop.models import Order, OrderEmail, Source
from tests import factories, stripe_events

pytestmark = pytest.mark.django_db

ADA = "ada@example.com"


@pytest.fixture
def order():
    """Two of a bell for €25.00, in German."""
    order = factories.order(None, (factories.product(name="Bell", unit_amount=1250), 2))
    Order.objects.filter(pk=order.pk).update(language="de")
    order.refresh_from_db()
    return order


@pytest.fixture
def paid(order):
    """The same, its buyer told that it is paid."""
    order.mark_paid(payment_intent_id=f"pi_{order.pk}", email=ADA, source=Source.WEBHOOK)
    OrderEmail.objects.get().mark_sent()
    return order


def parts(letter):
    """Text and HTML, the latter as a reader sees it."""
    [(html, kind)] = letter.alternatives
    assert kind == "text/html"
    return letter.body, unescape(re.sub("<[^>]*>", "", html))


def refund(order, amount, number=1, **fields):
    thing = {
        "id": f"re_{order.pk}_{number}",
        "object": "refund",
        "amount": amount,
        "currency": order.currency,
        "payment_intent": order.payment_intent_id,
        "status": "succeeded",
        "metadata": {},
        "reason": None,
        **fields,
    }
    return stripe_events.event("refund.updated", thing)


def test_a_confirmation_has_the_goods_the_total_and_the_link(order, deliver, mailoutbox):
    deliver(stripe_events.completed(order))
    emails.send_due()

    for text in parts(mailoutbox[0]):
        assert "Danke, es ist bezahlt" in text
        assert "2 × Bell" in text
        assert "25,00\N{NO-BREAK SPACE}€" in text
        assert order.number in text
    assert re.search(r"http://\S+/orders/link/[\w-]{32}/\s", mailoutbox[0].body)
    assert re.search(r'href="http://\S+/orders/link/[\w-]{32}/"', mailoutbox[0].alternatives[0][0])


def test_a_payment_that_failed_says_what_to_do_next(order, deliver, mailoutbox):
    unpaid = stripe_events.session(order, payment_status="unpaid")
    deliver(stripe_events.event("checkout.session.completed", unpaid))
    emails.send_due()
    assert mailoutbox == [], "that it is on its way is no news for a letter"
    deliver(stripe_events.event("checkout.session.async_payment_failed", unpaid))
    emails.send_due()

    [letter] = mailoutbox
    assert letter.subject == f"Die Zahlung für Bestellung {order.number} hat nicht geklappt"
    text, _html = parts(letter)
    slug = order.lines.get().product.slug
    assert f"/?quantity-{slug}=2" in text
    assert "nichts abgebucht" in text


def test_a_refund_says_how_much_and_whether_that_was_all(paid, deliver, mailoutbox):
    says = [
        (refund(paid, 500), "5,00 €", "Bisher sind 5,00 € der gezahlten 25,00 € erstattet"),
        (refund(paid, 700, 2), "7,00 €", "Bisher sind 12,00 € der gezahlten 25,00 € erstattet"),
        (refund(paid, 1300, 3), "13,00 €", "Damit sind die gezahlten 25,00 € vollständig erstattet"),
    ]
    for event, _amount, _share in says:
        deliver(event)
    emails.send_due()
    for letter, (_event, amount, share) in zip(mailoutbox, says, strict=True):
        for text in parts(letter):
            text = text.replace("\N{NO-BREAK SPACE}", " ")
            assert f"Wir haben Ihnen {amount} zurückgezahlt" in text
            assert share in text


def test_a_refund_of_all_says_so(paid, deliver, mailoutbox):
    event = refund(paid, 2500)
    deliver(event)
    deliver(event)
    emails.send_due()

    assert "Das ist alles, was Sie gezahlt haben." in mailoutbox.pop().body
    assert mailoutbox == []


def test_a_refund_that_is_not_there_yet_brings_none(paid, deliver, mailoutbox):
    deliver(refund(paid, 2500, status="pending"))
    emails.send_due()
    assert mailoutbox == []

    deliver(refund(paid, 2500))
    emails.send_due()
    assert len(mailoutbox) == 1


def test_a_shipment_says_who_brings_it_and_where_to_follow_it(paid, mailoutbox):
    ship(paid, carrier="Süd & Söhne", tracking_url="https://track.example/?a=1&b=2")
    emails.send_due()

    [letter] = mailoutbox
    assert letter.subject == f"Bestellung {paid.number} ist unterwegs"
    for text in parts(letter):
        assert "Süd & Söhne bringt sie zu Ihnen." in text
    assert "https://track.example/?a=1&b=2" in letter.body
    assert 'href="https://track.example/?a=1&amp;b=2"' in letter.alternatives[0][0]


def test_an_address_that_is_no_web_address_is_not_linked(paid, mailoutbox):
    ship(paid, carrier="", tracking_url="javascript:alert(1)")
    emails.send_due()

    for text in (*parts(mailoutbox[0]), mailoutbox[0].alternatives[0][0]):
        assert "javascript" not in text


def test_a_shipment_that_was_undone_before_it_was_told_is_not_told(paid, mailoutbox):
    ship(paid, carrier="Snail", tracking_url="")
    paid.fulfilment.undo(step="shipped", who_id=None)
    paid.fulfilment.ship(carrier="Swift", tracking_url="", who_id=None)
    emails.send_due()

    [letter] = mailoutbox
    assert "Swift" in letter.body


def ship(order, **how):
    assert order.fulfilment.prepare(who_id=None)
    assert order.fulfilment.ship(who_id=None, **how)


NAMES = {
    "markup": "<script>alert('x')</script> & \"quotes\"",
    "right to left": 'جرس "الباب"',
    "emoji": "🔔🔕 bell",
    "long": "Glocke " * 71,
    "one long word": "x" * 500,
    "a line break": "Bell\nSubject: cheap\n\n<b>cheap</b>",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_odd_names_are_shown_whole_and_as_text_48_49(deliver, mailoutbox, name):
    order = factories.order(None, (factories.product(name=name), 1))
    deliver(stripe_events.completed(order))
    emails.send_due()

    letter = mailoutbox[0]
    text, html = parts(letter)
    assert name.strip() in text
    assert name.strip() in html
    assert "<script>" not in letter.alternatives[0][0]
    assert letter.subject == f"Order {order.number} is paid"
    assert letter.message()["Subject"] == letter.subject


@pytest.mark.parametrize(
    ("language", "subject", "total"),
    [
        ("en", "Order {} is paid", "Total: €25.00"),
        ("de", "Bestellung {} ist bezahlt", "Summe: 25,00 €"),
        ("fr", "La commande {} est payée", "Total: 25,00 €"),
        ("", "Order {} is paid", "Total: €25.00"),
        ("tlh", "Order {} is paid", "Total: €25.00"),
    ],
)
def test_it_is_written_in_the_orders_language(order, deliver, mailoutbox, language, subject, total):
    Order.objects.update(language=language)
    deliver(stripe_events.completed(order))
    emails.send_due()

    assert mailoutbox[0].subject == subject.format(order.number)
    assert total in mailoutbox[0].body.replace("\N{NO-BREAK SPACE}", " ")
    assert translation.get_language() == "en", "whoever sends it goes on in her own"


@pytest.mark.parametrize(
    ("accepts", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr", "fr"),
        ("tlh,de;q=0.1", "de"),
        ("tlh", "en"),
        ("", "en"),
        ("*", "en"),
        ("x" * 5000, "en"),
        ("de\0,<script>", "en"),
    ],
)
def test_the_language_is_the_browsers_at_checkout(stripe, client, accepts, language):
    bell = factories.product()
    response = client.post("/checkout/", {f"quantity-{bell.slug}": 1}, headers={"Accept-Language": accepts})

    assert response.status_code == 303
    assert Order.objects.get().language == language


def test_every_word_is_translated_and_compiled(capsys):
    assert messages.main(["--check"]) == 0, capsys.readouterr().out
