"""What staff do meanwhile."""

from functools import partial

from django.db import IntegrityError
from hypothesis import strategies as st
from hypothesis.stateful import rule

from shop import refunds
from shop.models import NotRestockable, Order, Product, Refund, Source
from tests.rule_book.bank import Json
from tests.rule_book.front_doors import request_refund, take_step
from tests.rule_book.machine import MOODS, SELDOM, WHICH, Machine, one_of, where

STEPS = ("prepare", "prepare", "ship", "ship", "deliver", "cancel", "undo")


class RuleBook(Machine):
    """All of it."""

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
