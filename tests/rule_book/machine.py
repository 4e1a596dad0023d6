"""Everything that can happen to orders, in any order: hypothesis picks, the shop's front doors take it.

What is drawn depends on the bank alone and never on the shop, so that a run can be repeated although threads
take part in it.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar

from django.db import IntegrityError
from django.test import Client
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shop import checkout, refunds
from shop.models import NotRefundable, NotRestockable, Order, Product, Refund, SoldOut, Source, StripeEvent
from shop.models.events import OPEN
from shop.webhooks import replay
from tests import factories, stripe_events
from tests.rule_book import checks, ending
from tests.rule_book.bank import Bank, Json, Sale, Word
from tests.rule_book.stage import Stage

Thing = TypeVar("Thing")

WHICH = st.integers(0, 99)
BASKETS = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)).filter(any)
LOST = st.sampled_from([False, False, True])
HAPPENINGS = st.lists(st.tuples(WHICH, WHICH), min_size=1, max_size=6)
SELDOM = st.sampled_from([False] * 6 + [True])
MOODS = st.sampled_from(["well", "well", "down", "cut", "no"])
STEPS = ("prepare", "prepare", "ship", "ship", "deliver", "cancel", "undo")


def one_of(things: Sequence[Thing], which: int) -> Thing:
    return things[which % len(things)]


def where(condition: Callable[[Sale], bool]) -> Callable[[Any], Any]:
    """Only when the bank has such a sale."""
    return precondition(lambda book: any(map(condition, book.bank.sales)))


class RuleBook(RuleBasedStateMachine):
    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.stage.clear()
        self.bank = self.stage.counter.bank = Bank()
        self.products = [factories.product(stock=stock) for stock in (5, 2, None)]
        self.memory = checks.Memory({product.pk: product.stock for product in self.products})

    def sales(self, condition: Callable[[Sale], bool] = lambda sale: True) -> list[Sale]:
        return [sale for sale in self.bank.sales if condition(sale)]

    # --- shoppers ---------------------------------------------------------------------------------

    @initialize(orders=st.lists(st.tuples(BASKETS, LOST), min_size=2, max_size=4), picks=HAPPENINGS)
    def open_the_shop(self, orders: list[tuple[tuple[int, ...], bool]], picks: list[tuple[int, int]]) -> None:
        for quantities, lost in orders:
            self.place(quantities, meddled=False, lost=lost)
        self.something_happens_at_stripe(picks)

    @rule(quantities=BASKETS, meddled=SELDOM, lost=LOST)
    def place(self, quantities: tuple[int, ...], meddled: bool, lost: bool) -> None:
        """`meddled`: Stripe takes another amount. `lost`: the session's id is not saved."""
        products = list(Product.objects.in_bulk([product.pk for product in self.products]).values())
        cart = [(product, count) for product, count in zip(products, quantities, strict=True) if count]
        try:
            order = factories.order(None, *cart)
        except SoldOut:
            free = [(product.available, count) for product, count in cart]
            assert any(left is not None and left < count for left, count in free)
            return
        sale = self.bank.open(order, order.amount_total + meddled)
        if not lost:
            order.attach_session(sale.session["id"])

    @where(lambda sale: bool(sale.may_happen()))
    @rule(picks=HAPPENINGS)
    def something_happens_at_stripe(self, picks: list[tuple[int, int]]) -> None:
        for which, what in picks:
            if sales := self.sales(lambda sale: bool(sale.may_happen())):
                one_of(one_of(sales, which).may_happen(), what)()

    @where(lambda sale: True)
    @rule(which=WHICH)
    def go_to_pay(self, which: int) -> None:
        """Which takes back a wish to cancel."""
        order = Order.objects.get(pk=one_of(self.sales(), which).order.pk)
        if order.is_open:
            self.stage.wait_for(checkout.payment_page(order, "http://127.0.0.1:8000"))

    @where(lambda sale: True)
    @rule(which=WHICH, source=st.sampled_from([Source.SHOPPER, Source.STAFF]), mood=MOODS)
    def cancel(self, which: int, source: Source, mood: str) -> None:
        sale = one_of(self.sales(), which)
        order = Order.objects.get(pk=sale.order.pk)
        self.ask_stripe(mood, partial(checkout.cancel, order, source=source), checkout.StripeUnavailable)

    # --- the news of it ---------------------------------------------------------------------------

    @precondition(lambda book: book.bank.undelivered())
    @rule(picks=st.lists(WHICH, min_size=1, max_size=6))
    def deliver(self, picks: list[int]) -> None:
        for which in picks:
            if waiting := self.bank.undelivered():
                self.post(one_of(waiting, which))

    @precondition(lambda book: len(book.bank.undelivered()) < len(book.bank.words))
    @rule(which=WHICH, by_hand=st.booleans())
    def deliver_again(self, which: int, by_hand: bool) -> None:
        word = one_of([word for word in self.bank.words if word.deliveries], which)
        if by_hand:
            replay(word.event["id"])
        else:
            self.post(word)

    @precondition(lambda book: book.bank.words)
    @rule(which=WHICH, picks=st.lists(WHICH, min_size=2, max_size=4))
    def deliver_at_once(self, which: int, picks: list[int]) -> None:
        """Some of what there is to tell of one sale."""
        sale = one_of([word.sale for word in self.bank.words], which)
        words = [one_of([word for word in self.bank.words if word.sale is sale], pick) for pick in picks]
        for answer in self.stage.at_once([partial(post, word.event) for word in words]):
            assert answer == 200
        for word in words:
            word.deliveries += 1

    def post(self, word: Word) -> None:
        before = StripeEvent.objects.filter(pk=word.event["id"]).first()
        version = Order.objects.get(pk=word.sale.order.pk).version
        assert post(word.event) == 200
        word.deliveries += 1
        if before and before.outcome not in OPEN:
            assert StripeEvent.objects.get(pk=before.pk).outcome == before.outcome
            assert Order.objects.get(pk=word.sale.order.pk).version == version

    # --- staff ------------------------------------------------------------------------------------

    @where(lambda sale: sale.is_paid)
    @rule(which=WHICH, part=st.integers(1, 3), together=SELDOM, asked=st.booleans(), mood=MOODS)
    def refund(self, which: int, part: int, together: bool, asked: bool, mood: str) -> None:
        """`together`: two of the staff want the same at once. `asked`: so is Stripe, before a crash."""
        sale = one_of(self.sales(lambda sale: sale.is_paid), which)
        want = partial(request_refund, sale.order.pk, -(-sale.amount // part))
        made = self.stage.at_once([want, want]) if together else [want()]
        assert sum(made) <= 1
        refund = Refund.objects.filter(order=sale.order, status="requested").first()
        if refund and asked:
            self.ask_stripe(mood, partial(refunds.send, refund), refunds.StripeSilent)

    @where(lambda sale: True)
    @rule(which=WHICH, steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=3), together=SELDOM)
    def fulfil(self, which: int, steps: list[str], together: bool) -> None:
        sale = one_of(self.sales(), which)
        for step in steps:
            at = Order.objects.get(pk=sale.order.pk).fulfilment_status
            take = partial(take_step, sale.order.pk, step, at)
            took = self.stage.at_once([take, take]) if together else [take()]
            assert sum(took) <= 1

    @where(lambda sale: sale.is_paid)
    @rule(which=WHICH, counts=st.lists(st.integers(0, 2), min_size=3, max_size=3))
    def restock(self, which: int, counts: list[int]) -> None:
        order = Order.objects.get(pk=one_of(self.sales(lambda sale: sale.is_paid), which).order.pk)
        units = {line.pk: count for line, count in zip(order.goods, counts, strict=False)}
        too_many = any(units[line.pk] > line.restockable for line in order.goods)
        try:
            order.fulfilment.restock(units, who_id=self.stage.staff_id)
        except NotRestockable:
            assert too_many

    @where(lambda sale: True)
    @rule(which=WHICH, what=st.sampled_from(["flag", "resolve", "hand over"]))
    def see_to(self, which: int, what: str) -> None:
        order = Order.objects.get(pk=one_of(self.sales(), which).order.pk)
        if what == "flag":
            order.flag("Odd.", source=Source.STAFF)
        elif what == "resolve":
            order.resolve(who_id=self.stage.staff_id)
        else:
            order.hand_over(self.stage.staff_id)

    @rule(which=WHICH, stock=st.integers(0, 8), unit_amount=st.integers(1, 2000), active=st.booleans())
    def revise(self, which: int, stock: int, unit_amount: int, active: bool) -> None:
        product = Product.objects.get(pk=one_of(self.products, which).pk)
        limited = product.stock is not None
        fields: Json = {"stock": stock} if limited else {}
        try:
            product.revise(unit_amount=unit_amount, active=active or not limited, **fields)
        except IntegrityError:
            assert limited
            assert stock < product.held
        else:
            self.memory.counted(product, stock if limited else None)

    # --- healing ----------------------------------------------------------------------------------

    @precondition(lambda book: book.bank.words)
    @rule(by=st.sampled_from(["webhook", "reconciler"]), mood=MOODS, order=st.randoms(use_true_random=False))
    def all_is_told(self, by: str, mood: str, order: Any) -> None:
        """Each order comes to its one right state, if not while Stripe is in a bad mood."""
        if mood != "well":
            self.bank.mood = mood
            ending.reconcile(self.stage, self.bank)
            self.bank.mood = "well"
        ending.tell_all(self, by_events=by == "webhook", order=order)

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            ending.tell_all(self, by_events=len(self.bank.words) % 3 > 0, order=Random(0))  # noqa: S311

    def ask_stripe(self, mood: str, asking: Callable[[], Any], silence: type[Exception]) -> None:
        self.bank.mood = mood
        try:
            self.stage.wait_for(asking())
        except silence:
            assert mood in ("down", "cut")
        self.bank.mood = "well"

    # --- what must be true always -----------------------------------------------------------------

    @invariant()
    def the_books_are_right(self) -> None:
        checks.always(self.bank, self.memory)


def post(event: Json) -> int:
    body, headers = stripe_events.signed(event)
    client = Client(raise_request_exception=False)
    return client.post("/stripe-webhook/", body, content_type="application/json", headers=headers).status_code


def request_refund(order_pk: int, amount: int) -> bool:
    order = Order.objects.get(pk=order_pk)
    try:
        Refund.objects.request(order, amount, reason="duplicate", note="", who_id=None)
    except NotRefundable:
        return False
    return True


def take_step(order_pk: int, step: str, at: str) -> bool:
    order = Order.objects.get(pk=order_pk)
    more: Json = {"ship": {"carrier": "Post", "tracking_url": ""}, "undo": {"step": at}}
    took: bool = getattr(order.fulfilment, step)(who_id=None, **more.get(step, {}))
    if took and step in ("prepare", "ship"):
        assert order.refunded_amount < order.amount_total
        assert not order.disputed
    return took
