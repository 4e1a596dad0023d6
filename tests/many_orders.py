"""A shop that has been busy for two months, written by SQL: by the shop's verbs it would take a quarter of an
hour.
"""

import psycopg
from django.db import connection

ORDERS = 100_000
DAYS = 60

TABLES = ("shop_order", "shop_orderline", "shop_orderchange", "shop_refund", "shop_stripeevent")


def make() -> None:
    """Commits. Orders are evenly spaced, the newest was placed a minute ago; what is made is in TABLES."""
    # A connection of its own, without the shop's time limits.
    parameters = {**connection.get_connection_params(), "options": "", "autocommit": True}
    with psycopg.connect(**parameters) as database:
        for statement in (_PRODUCTS, _ORDERS, _LINES, _PLACED, _MOVED, _REFUNDS, _EVENTS):
            database.execute(statement, {"orders": ORDERS, "days": DAYS})
        # The planner goes by it, and it would else come at a moment of its own.
        database.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")


def unmake() -> None:
    """Quicker than DELETE, and leaves nothing behind that others would have to read over."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)}, shop_product CASCADE")


_PRODUCTS = """
INSERT INTO shop_product
    (slug, name, description, picture, unit_amount, currency, stock, held, active, version)
SELECT 'many-' || n, 'Bell no. ' || n, '', '', 1250, 'eur', 1000000, 0, true, 1
FROM generate_series(1, 20) AS n
"""

# Those of the last half hour may still be paid; a bank debit may take six days.
_ORDERS = """
INSERT INTO shop_order (
    public_id, guest_id, email, currency, amount_total, payment_status, fulfilment_status, refunded_amount,
    disputed, needs_attention, stripe_session_id, payment_intent_id, checkout_attempt, checkout_expires_at,
    version, placed_at, paid_at, updated_at)
SELECT
    gen_random_uuid(), gen_random_uuid(), CASE WHEN paid THEN 'ada' || n || '@example.com' ELSE '' END, 'eur',
    1250 * (1 + n %% 9), status,
    CASE WHEN paid AND placed_at < now() - interval '3 days' THEN 'delivered' ELSE 'unfulfilled' END,
    CASE WHEN paid AND n %% 200 = 0 THEN 1250 ELSE 0 END, paid AND n %% 1000 = 1,
    CASE WHEN paid AND n %% 5000 = 7 THEN 'Paid twice.' ELSE '' END, 'cs_test_' || n,
    CASE WHEN status IN ('paid', 'processing', 'failed') THEN 'pi_' || n ELSE '' END, 1,
    placed_at + interval '31 minutes', CASE status WHEN 'pending' THEN 1 ELSE 2 END, placed_at,
    CASE WHEN paid THEN moved_at END, CASE status WHEN 'pending' THEN placed_at ELSE moved_at END
FROM (SELECT *, status = 'paid' AS paid, placed_at + interval '40 seconds' AS moved_at FROM (
    SELECT n, placed_at,
        CASE
            WHEN placed_at > now() - interval '30 minutes' AND n %% 2 = 0 THEN 'pending'
            WHEN n %% 100 < 70 THEN 'paid'
            WHEN placed_at > now() - interval '30 minutes' THEN 'paid'
            WHEN n %% 100 < 88 THEN 'expired'
            WHEN n %% 100 < 94 THEN 'cancelled'
            WHEN n %% 100 < 98 THEN 'failed'
            WHEN placed_at > now() - interval '6 days' THEN 'processing'
            ELSE 'paid'
        END AS status
    FROM (
        SELECT n, now() - interval '1 minute' - n * %(days)s * interval '1 day' / %(orders)s AS placed_at
        FROM generate_series(0, %(orders)s - 1) AS n) AS numbered) AS placed) AS moved
"""

_LINES = """
INSERT INTO shop_orderline (order_id, product_id, name, unit_amount, quantity)
SELECT shop_order.id, product.id, product.name, 1250, 1
FROM shop_order JOIN (SELECT *, row_number() OVER (ORDER BY id) AS turn FROM shop_product) AS product
    ON turn IN (
        1 + shop_order.id %% 20, CASE WHEN shop_order.id %% 3 = 0 THEN 1 + (shop_order.id + 1) %% 20 END)
"""

_PLACED = """
INSERT INTO shop_orderchange (order_id, version, what, before, after, source, at)
SELECT id, 1, 'placed', '', 'pending', 'shopper', placed_at FROM shop_order
"""

_MOVED = """
INSERT INTO shop_orderchange (order_id, version, what, before, after, source, at)
SELECT id, 2, 'payment_status', 'pending', payment_status,
    CASE id %% 50 WHEN 0 THEN 'return_page' ELSE 'webhook' END, updated_at
FROM shop_order WHERE payment_status <> 'pending'
"""

_REFUNDS = """
INSERT INTO shop_refund (
    public_id, order_id, stripe_refund_id, amount, status, reason, note, failure_reason, created_at)
SELECT gen_random_uuid(), id, 're_' || id, refunded_amount, 'succeeded', '', '', '',
    least(now(), paid_at + interval '5 hours')
FROM shop_order WHERE refunded_amount > 0
"""

_EVENTS = """
INSERT INTO shop_stripeevent (
    id, type, created, received_at, last_received_at, commit_seconds, push_seconds, payload, outcome,
    order_id)
SELECT 'evt_' || id, 'checkout.session.completed', updated_at, updated_at, updated_at, 0.004, 0.002,
    '{"id": "evt_' || id || '"}', CASE WHEN id %% 10000 = 0 THEN 'failed' ELSE 'applied' END, id
FROM shop_order WHERE payment_status NOT IN ('pending', 'cancelled')
"""
