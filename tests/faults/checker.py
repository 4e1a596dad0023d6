"""What must be true when all is over. Knows the database's tables and Stripe's books, and no code of ours."""

import email
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from email import policy
from pathlib import Path
from typing import Any

from tests.faults.history import History
from tests.faults.truth import Database, Stripe

Json = dict[str, Any]

SETTLED = ("applied", "ignored", "held")
"""Outcomes that explain an event."""
GONE = ("pending", "requires_action", "succeeded")
"""Refunds in these states are missing from what the shop has."""
IS_PAID = re.compile(r"Order (\S+) is paid")
END_OF_MAIL = b"\n" + b"-" * 79 + b"\n"


def in_the_end(
    database: Database, stripe: Stripe, history: History, stock: dict[str, int | None]
) -> Iterator[str]:
    """What is wrong, each with the letter of its invariant. `stock` is that of the beginning, by slug."""
    yield from _every_event_is_explained(database, stripe, history)
    yield from _every_payment_has_its_event(database)
    yield from _every_order_follows_the_money(database, stripe)
    yield from _stock_is_accounted_for(database, stock)
    yield from _nothing_failed_without_a_reason(history)


def before_anybody_asks_stripe(database: Database) -> Iterator[str]:
    """When all is delivered: what an event says that it did, nobody else should have to do."""
    for row in database.rows(_APPLIED_TO_NOTHING):
        yield f"A: {row['id']} was applied, and its order is {row['payment_status']}"


def _every_event_is_explained(database: Database, stripe: Stripe, history: History) -> Iterator[str]:
    inbox = {row["id"]: row["outcome"] for row in database.rows("SELECT id, outcome FROM shop_stripeevent")}
    for delivery in history.of("delivery"):
        if 200 <= delivery["status"] < 300 and inbox.get(delivery["event"]) not in SETTLED:
            outcome = inbox.get(delivery["event"], "not recorded")
            yield f"A: {delivery['event']} ({delivery['type']}) was taken and is {outcome}"
    for event_id in stripe.events.keys() - inbox.keys():
        yield f"A: {event_id} ({stripe.events[event_id]['type']}) never arrived"
    for event_id in inbox.keys() - stripe.events.keys():
        yield f"A: {event_id} was recorded, and never sent"


def _every_payment_has_its_event(database: Database) -> Iterator[str]:
    """An event that counted once goes on saying so, however often it comes again."""
    for row in database.rows(_PAID_BY_NO_EVENT):
        yield f"A: order {row['name']} was paid by a webhook, and no event says that it was applied"


def _every_order_follows_the_money(database: Database, stripe: Stripe) -> Iterator[str]:
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
            yield f"B: order {order['name']} {fault}"
    for public_id in stripe.sessions.keys() - {order["name"] for order in orders}:
        yield f"B: Stripe has a session for {public_id}, and the shop no order"


def _faults(order: Json, its: dict[str, list[Json]], stripe: Stripe) -> Iterator[str]:
    sessions = stripe.sessions.get(order["name"], [])
    paid = [session for session in sessions if session["payment_status"] == "paid"]
    if len(paid) > 1:
        yield f"was paid {len(paid)} times"
    if sum(session["status"] == "open" for session in sessions) > 1:
        yield "has more than one open session"
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


def _stock_is_accounted_for(database: Database, stock: dict[str, int | None]) -> Iterator[str]:
    for product in database.rows(_STOCK):
        began = stock[product["slug"]]
        if began is None:
            continue
        if product["stock"] != began - product["sold"]:
            yield f"B: of {began} {product['slug']} {product['sold']} were sold, {product['stock']} are left"
        if product["held"] != product["promised"]:
            yield f"B: {product['held']} {product['slug']} are held, {product['promised']} promised"


def _nothing_failed_without_a_reason(history: History) -> Iterator[str]:
    for entry in history.of("delivery", "damaged delivery", "request"):
        least = 300 if entry["what"] == "delivery" else 500
        if not entry["during"] and (entry["status"] == 0 or entry["status"] >= least):
            what = entry.get("type") or entry.get("of")
            yield f"G: {what} was answered with {entry['status']} at {entry['t']} s"


def mails_faults(mail: Path, database: Database, history: History) -> Iterator[str]:
    """Each paid order has one confirmation. A worker that dies over an e-mail may have sent it: then there is
    a copy with the same Message-ID, one to whoever gets them.
    """
    confirmed: Counter[str] = Counter()
    seen, copies = set(), 0
    for file in mail.glob("*.log"):
        for letter in file.read_bytes().split(END_OF_MAIL)[:-1]:
            message = email.message_from_bytes(letter, policy=policy.default)
            if message["Message-ID"] in seen:
                copies += 1
            elif found := IS_PAID.search(message["Subject"] or ""):
                confirmed[found[1]] += 1
            seen.add(message["Message-ID"])
    if copies > (deaths := sum(1 for _ in history.of("healed"))):
        yield f"B: {copies} e-mails were sent again, in {deaths} troubles"
    for number, times in confirmed.items():
        if times > 1:
            yield f"B: order {number} was confirmed {times} times"
    [paid] = database.rows("SELECT count(*) FROM shop_order WHERE payment_status = 'paid'")
    if len(confirmed) != paid["count"]:
        yield f"B: {paid['count']} orders are paid, {len(confirmed)} were confirmed"


def _by_order(rows: list[Json]) -> defaultdict[int, list[Json]]:
    found = defaultdict(list)
    for row in rows:
        found[row.pop("order_id")].append(row)
    return found


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
