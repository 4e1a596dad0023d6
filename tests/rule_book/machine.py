"""Everything that can happen to orders, in any order: hypothesis picks, the shop's front doors take it.

What is drawn depends on the bank alone and never on the shop, so that a run can be repeated although threads
take part in it.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shop import checkout
from shop.models import Order, Product, SoldOut, Source, StripeEvent
from shop.models.events import OPEN
from shop.webhooks import replay
from tests import factories
from tests.rule_book import checks, ending
from tests.rule_book.bank import Bank, Sale, Word
from tests.rule_book.front_doors import post
from tests.rule_book.stage import Stage

Thing = TypeVar("Thing")

WHICH = st.integers(0, 99)
BASKETS = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)).filter(any)
LOST = st.sampled_from([False, False, True])
HAPPENINGS = st.lists(st.tuples(WHICH, WHICH), min_size=1, max_size=6)
SELDOM = st.sampled_from([False] * 6 + [True])
MOODS = st.sampled_from(["well", "well", "down", "cut", "no"])


def one_of(things: Sequence[Thing], which: int) -> Thing:
    return things[which % len(things)]


def where(condition: Callable[[Sale], bool]) -> Callable[[Any], Any]:
    """Only when the bank has such a sale."""
    return precondition(lambda book: any(map(condition, book.bank.sales)))


class Machine(RuleBasedStateMachine):
    """Shoppers, Stripe, and what it tells; staff come in staff.py."""

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
        products = Product.objects.in_bulk()
        wanted = zip(self.products, quantities, strict=True)
        cart = [(products[product.pk], count) for product, count in wanted if count]
        try:
            order = factories.order(None, *cart)
        except SoldOut:
            free = [(product.available, count) for product, count in cart]
            assert any(left is not None and left < count for left, count in free)
            return
        sale = self.bank.open(order, order.amount_total + meddled)
        if not lost:
            order.checkout.attach_session(sale.session["id"])

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
