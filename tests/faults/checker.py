"""What must be true when all is over. Knows the database's tables and Stripe's books, and no code of ours."""

import email
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from email import policy
from email.message import Message
from pathlib import Path
from typing import Any

from tests.faults.history import History
from tests.faults.truth import Database, Stripe

Json = dict[str, Any]

SETTLED = ("applied", "ignored", "held")
"""Outcomes that explain an event."""
GONE = ("pending", "requires_action", "succeeded")
"""Refunds in these states are missing from what the shop has."""
TOLD_ONCE = re.compile(r"Order (\S+) is (paid|on its way)")
ENDS_WORKERS = ("worker killed", "PostgreSQL killed", "database connections terminated", "disk full")
"""Troubles in which one may die over an e-mail."""
CLOSED_BADLY = (1011, 4401, 4403)
"""Close codes that say that the server has failed, or that a page is not hers."""
END_OF_MAIL = b"\n" + b"-" * 79 + b"\n"


Fault = tuple[str, str]
"""The letter of the promise that is broken, and how."""


def before_it_comes_again(database: Database, stripe: Stripe, history: History) -> Iterator[Fault]:
    """When each event was delivered, and nothing was sent for good measure, nor was Stripe asked."""
    inbox = {row["id"] for row in database.rows("SELECT id FROM shop_stripeevent")}
    for event_id in _taken(history).keys() - inbox:
        yield "A", f"{event_id} was taken and is not recorded"
    for order in database.rows(_WITH_NOTHING_TO_COME):
        sessions = stripe.sessions.get(order["name"], [])
        if order["payment_status"] not in (right := _right_states(sessions, stripe)) and sessions:
            yield "A", f"webhooks left order {order['name']} {order['payment_status']}, not {right}"
    for row in database.rows(_APPLIED_TO_NOTHING):
        yield "A", f"{row['id']} was applied, and its order is {row['payment_status']}"


def in_the_end(
    database: Database, stripe: Stripe, history: History, stock: dict[str, int | None]
) -> Iterator[Fault]:
    """`stock` is that of the beginning, by slug."""
    yield from _every_event_is_explained(database, stripe, history)
    yield from _every_payment_has_its_event(database)
    yield from _every_order_follows_the_money(database, stripe)
    yield from _shoppers_were_sent_to_one_session(stripe, history)
    yield from _nobody_has_two_orders(database, history)
    yield from _stock_is_accounted_for(database, stock)
    yield from _nothing_failed_without_a_reason(history)


def _taken(history: History) -> dict[str, str]:
    """Types of the events that the shop has answered with 2xx."""
    deliveries = history.of("delivery")
    return {one["event"]: one["type"] for one in deliveries if 200 <= one["status"] < 300}


def _every_event_is_explained(database: Database, stripe: Stripe, history: History) -> Iterator[Fault]:
    inbox = {row["id"]: row["outcome"] for row in database.rows("SELECT id, outcome FROM shop_stripeevent")}
    for event_id, kind in _taken(history).items():
        if inbox.get(event_id) not in SETTLED:
            yield "A", f"{event_id} ({kind}) was taken and is {inbox.get(event_id, 'not recorded')}"
    for event_id in stripe.events.keys() - inbox.keys():
        yield "A", f"{event_id} ({stripe.events[event_id]['type']}) never arrived"
    refused = sum(one["status"] == 400 for one in history.of("delivery"))
    if refused and not database.rows("SELECT 1 FROM shop_refuseddelivery WHERE reason ~ 'too old|future'"):
        yield "A", f"{refused} genuine deliveries were refused by a wrong clock, and the shop does not say so"
    for event_id in inbox.keys() - stripe.events.keys():
        yield "A", f"{event_id} was recorded, and never sent"


def _every_payment_has_its_event(database: Database) -> Iterator[Fault]:
    """An event that counted once goes on saying so, however often it comes again."""
    for row in database.rows(_PAID_BY_NO_EVENT):
        yield "A", f"order {row['name']} was paid by a webhook, and no event says that it was applied"


def _every_order_follows_the_money(database: Database, stripe: Stripe) -> Iterator[Fault]:
    changes = _by_order(database.rows("SELECT order_id, version, what, after FROM shop_orderchange"))
    refunds = _by_order(database.rows("SELECT order_id, stripe_refund_id, status FROM shop_refund"))
    disputes = _by_order(database.rows("SELECT order_id, stripe_dispute_id, status FROM shop_dispute"))
    orders = database.rows("SELECT *, public_id::text AS name FROM shop_order")
    for order in orders:
        its = {
            "changes": changes[order["id"]],
            "refunds": refunds[order["id"]],
            "disputes": disputes[order["id"]],
        }
        for fault in _faults(order, its, stripe):
            yield "B", f"order {order['name']} {fault}"
    for public_id in stripe.sessions.keys() - {order["name"] for order in orders}:
        yield "B", f"Stripe has a session for {public_id}, and the shop no order"


def _faults(order: Json, its: dict[str, list[Json]], stripe: Stripe) -> Iterator[str]:
    sessions = stripe.sessions.get(order["name"], [])
    paid = [session for session in sessions if session["payment_status"] == "paid"]
    if len(paid) > 1:
        yield f"was paid {len(paid)} times"
    if order["payment_status"] not in (right := _right_states(sessions, stripe)):
        yield f"is {order['payment_status']}, not {' or '.join(sorted(right))}"
    times = sum(change["what"] == "payment_status" and change["after"] == "paid" for change in its["changes"])
    if times != len(paid):
        yield f"became paid {times} times"
    if sorted(change["version"] for change in its["changes"]) != list(range(1, order["version"] + 1)):
        yield f"is at version {order['version']} and has {len(its['changes'])} changes"
    if paid:
        yield from _money_faults(order, its, paid[0], stripe)
    elif its["refunds"] or its["disputes"] or order["refunded_amount"]:
        yield "was never paid, and yet has refunds or disputes"


def _money_faults(order: Json, its: dict[str, list[Json]], session: Json, stripe: Stripe) -> Iterator[str]:
    intent = session["payment_intent"]
    if (order["amount_total"], order["currency"]) != (session["amount_total"], session["currency"]):
        yield f"is over {order['amount_total']}, paid were {session['amount_total']}"
    made = {refund["id"]: refund["status"] for refund in stripe.refunds[intent]}
    # Without Stripe's id it is one that Stripe refused.
    refused = {None: "failed"} if any(refund["stripe_refund_id"] is None for refund in its["refunds"]) else {}
    if {refund["stripe_refund_id"]: refund["status"] for refund in its["refunds"]} != made | refused:
        yield f"has refunds {its['refunds']}, Stripe {made}"
    gone = sum(refund["amount"] for refund in stripe.refunds[intent] if refund["status"] in GONE)
    if order["refunded_amount"] != gone:
        yield f"has {order['refunded_amount']} refunded, Stripe {gone}"
    there = {dispute["id"]: dispute["status"] for dispute in stripe.disputes[intent]}
    if {dispute["stripe_dispute_id"]: dispute["status"] for dispute in its["disputes"]} != there:
        yield f"has disputes {its['disputes']}, Stripe {there}"


def _shoppers_were_sent_to_one_session(stripe: Stripe, history: History) -> Iterator[Fault]:
    """Of an order, unless it has expired. Stripe may have made another, and have answered with an error: if
    nobody was told its address, nobody can pay there.
    """
    addresses = {entry["session"] for entry in history.of("sent to pay")}
    for public_id, sessions in stripe.sessions.items():
        theirs = [one["id"] for one in sessions if one["id"] in addresses and one["status"] != "expired"]
        if len(theirs) > 1:
            yield "B", f"shoppers were sent to {len(theirs)} sessions of order {public_id}"


def _nobody_has_two_orders(database: Database, history: History) -> Iterator[Fault]:
    """Everybody comes for one cart, however often she presses. But a process that was frozen may do what she
    asked when another one has sold the same to her already.
    """
    unanswered = sum(one["of"] == "checkout" and one["status"] in (0, 503) for one in history.of("request"))
    rows = database.rows(_TWO_ORDERS)
    for row in rows:
        if row["orders"] - row["unpaid"] > 1 or row["unpaid"] > 1 or len(rows) > unanswered:
            yield "B", f"a guest has {row['orders']} orders: {row['names']}"


def _right_states(sessions: list[Json], stripe: Stripe) -> set[str]:
    if any(session["payment_status"] == "paid" for session in sessions):
        return {"paid"}
    complete = [session for session in sessions if session["status"] == "complete"]
    if complete:
        intent = stripe.intents[complete[-1]["payment_intent"]]
        return {"processing"} if intent["status"] == "processing" else {"failed"}
    if any(session["status"] == "open" for session in sessions):
        return {"pending"}
    return {"expired", "cancelled"} if sessions else {"pending", "expired", "cancelled"}


def _stock_is_accounted_for(database: Database, stock_then: dict[str, int | None]) -> Iterator[Fault]:
    for product in database.rows(_STOCK):
        began = stock_then[product["slug"]]
        if began is None:
            continue
        if product["stock"] != began - product["sold"]:
            yield (
                "B",
                f"of {began} {product['slug']} {product['sold']} were sold, {product['stock']} are left",
            )
        if product["held"] != product["promised"]:
            yield "B", f"{product['held']} {product['slug']} are held, {product['promised']} promised"


def _nothing_failed_without_a_reason(history: History) -> Iterator[Fault]:
    for entry in history.of("delivery", "damaged delivery", "request"):
        if not entry["excused"] and _is_failure(entry):
            what = entry.get("type") or entry["of"]
            yield "G", f"{what} was answered with {entry['status']} at {entry['t']} s{_during(entry)}"
    for entry in history.of("closed"):
        if not entry["excused"] and entry["code"] in CLOSED_BADLY:
            yield "G", f"{entry['path']} was closed with {entry['code']} at {entry['t']} s{_during(entry)}"


def _is_failure(asked: Json) -> bool:
    """Whoever tells of an event is to be thanked, and a page that people were led to is there."""
    status: int = asked["status"]
    if asked["what"] == "delivery":
        return status == 0 or status >= 300
    if asked["of"] == "page":
        return status == 0 or status >= 400
    return status in (0, 429) or status >= 500


def _during(entry: Json) -> str:
    return f" during {entry['during']}" if entry["during"] else ""


def mails_faults(mail: Path, database: Database, history: History) -> Iterator[Fault]:
    """Each paid order has one confirmation, and is on its way once. A worker that dies over an e-mail may
    have sent it: then there is a copy with the same Message-ID, one to whoever gets them.
    """
    told: defaultdict[str, Counter[str]] = defaultdict(Counter)
    seen, copies = set(), 0
    for letter in _letters(mail):
        if letter["Message-ID"] in seen:
            copies += 1
        elif found := TOLD_ONCE.search(letter["Subject"] or ""):
            told[found[2]][f"{found[1]} of {letter['To']}"] += 1
        seen.add(letter["Message-ID"])
    deaths = sum(entry["trouble"] in ENDS_WORKERS for entry in history.of("healed"))
    deaths -= sum(entry["trouble"] in ENDS_WORKERS for entry in history.of("not possible here"))
    if copies > deaths:
        yield "B", f"{copies} e-mails were sent again, and workers ended {deaths} times"
    paid = {f"{row['name'][:8].upper()} of {row['email']}" for row in database.rows(_PAID)}
    for what, orders in told.items():
        for order, times in orders.items():
            if times > 1:
                yield "B", f"of order {order} it was said {times} times that it is {what}"
    for order in paid ^ told["paid"].keys():
        yield "B", f"order {order} was {'never confirmed' if order in paid else 'confirmed and is not paid'}"


def _letters(mail: Path) -> Iterator[Message]:
    for file in mail.glob("*.log"):
        for letter in file.read_bytes().split(END_OF_MAIL)[:-1]:
            yield email.message_from_bytes(letter, policy=policy.default)


def _by_order(rows: list[Json]) -> defaultdict[int, list[Json]]:
    found = defaultdict(list)
    for row in rows:
        found[row.pop("order_id")].append(row)
    return found


_PAID = "SELECT public_id::text AS name, email FROM shop_order WHERE payment_status = 'paid'"

_TWO_ORDERS = """
SELECT count(*) AS orders, count(*) FILTER (WHERE payment_status = 'pending') AS unpaid,
    string_agg(public_id::text, ', ') AS names
FROM shop_order
WHERE payment_status NOT IN ('expired', 'cancelled') GROUP BY guest_id, user_id HAVING count(*) > 1
"""

_WITH_NOTHING_TO_COME = """
SELECT public_id::text AS name, payment_status FROM shop_order WHERE NOT EXISTS (
    SELECT 1 FROM shop_stripeevent event WHERE retry_at IS NOT NULL
    AND (event.order_id = shop_order.id OR position(public_id::text IN event.payload) > 0))
"""

_APPLIED_TO_NOTHING = """
SELECT event.id, payment_status FROM shop_stripeevent event JOIN shop_order ON shop_order.id = event.order_id
WHERE outcome = 'applied' AND type LIKE 'checkout.session.%%' AND payment_status = 'pending'
"""

_PAID_BY_NO_EVENT = """
SELECT public_id::text AS name FROM shop_order JOIN shop_orderchange change ON change.order_id = shop_order.id
WHERE what = 'payment_status' AND after = 'paid' AND source = 'webhook' AND NOT EXISTS (
    SELECT 1 FROM shop_stripeevent event
    WHERE event.order_id = shop_order.id AND outcome = 'applied' AND type LIKE 'checkout.session.%%')
"""

_STOCK = """
SELECT slug, stock, held,
    coalesce(sum(line.quantity - line.restocked)
        FILTER (WHERE payment_status = 'paid' AND NOT line.missing), 0) AS sold,
    coalesce(sum(line.quantity) FILTER (WHERE payment_status IN ('pending', 'processing')), 0) AS promised
FROM shop_product product
LEFT JOIN shop_orderline line ON line.product_id = product.id
LEFT JOIN shop_order ON shop_order.id = line.order_id
GROUP BY product.id
"""
