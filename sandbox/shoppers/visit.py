"""One person's visit, step by step, as a browser without JavaScript makes it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.shoppers.browser import PATIENCE, Browser, Gone
from sandbox.shoppers.pages import Form, Page
from sandbox.shoppers.people import GOOD, Means, Person

# How often somebody looks whether the payment has arrived, and at what distance in seconds.
LOOKS, BETWEEN_LOOKS = 30, 1.0
# How often somebody chooses anew when things are gone.
TRIES = 5


@dataclass
class Story:
    """How a visit went; `end` is the order's payment status where it came to a payment."""

    end: str = "gave up"
    total: str = ""
    basket: str = ""
    notes: list[str] = field(default_factory=list)


class Visit:
    """`thinking` is the mean of the seconds between two steps; `at_checkout` is called there."""

    def __init__(
        self, person: Person, browser: Browser, thinking: float, at_checkout: Callable[[], None]
    ) -> None:
        self.story = Story()
        self._person = person
        self._browser = browser
        self._thinking = thinking
        self._at_checkout = at_checkout

    async def make(self) -> Story:
        try:
            self.story.end = await self._buy()
        except Gone as gone:
            self.story.notes.append(str(gone))
        return self.story

    async def _buy(self) -> str:
        checkout = await self._choose()
        if checkout is None:
            return "sold out"
        self._at_checkout()
        self.story.total = checkout.total
        if self._person.ending == "abandons":
            return "abandoned"
        if self._person.ending == "cancels":
            return await self._cancel(checkout)
        if self._person.ending == "pays later":
            checkout = await self._come_back()
        return await self._pay(checkout) if checkout else "too late"

    async def _choose(self) -> Page | None:
        """Stripe's page for a basket; what turns out to be gone is chosen anew, more modestly."""
        page = await self._browser.open("/")
        for most in (3, *[1] * TRIES):
            form = page.form("buy")
            if form is None:
                raise Gone(f"{page.url} is neither the shop nor the checkout (HTTP {page.status})")
            basket = self._person.basket(page.stock, most=most)
            if not basket:
                break
            self.story.basket = ", ".join(f"{units} × {slug}" for slug, units in basket.items())
            nothing = dict.fromkeys((f"quantity-{slug}" for slug in page.stock), "0")
            chosen = {f"quantity-{slug}": str(units) for slug, units in basket.items()}
            page = await self._press(page, form, **nothing | chosen)
            if page.form("payment-form"):
                return page
        return None

    async def _cancel(self, checkout: Page) -> str:
        """Back to the shop; every other one tells it, too, that nothing will come of the order."""
        await self._think()
        page = await self._browser.open(checkout.link("cancel") or "/")
        if self._person.number % 2 and page.newest_order:
            page = await self._browser.open(page.newest_order)
            if form := page.form("/cancel/"):
                await self._press(page, form)
        return "cancelled"

    async def _come_back(self) -> Page | None:
        """To the order that was left, as the shop's page lists it."""
        await self._think(times=5)
        page = await self._browser.open("/")
        if page.newest_order is None:
            return None
        page = await self._browser.open(page.newest_order)
        form = page.form("/pay/")
        page = await self._press(page, form) if form else page
        self.story.notes.append("came back to pay")
        return page if page.form("payment-form") else None

    async def _pay(self, page: Page) -> str:
        for means in self._person.wallet:
            form = page.form("payment-form")
            if form is None:
                break
            page = await self._press(page, form, **self._filled_in(form, means))
            if bank := page.form("authentication"):
                page = await self._press(page, bank, outcome="complete" if means.passes else "fail")
            self.story.notes.append(means.name)
        return "declined" if page.form("payment-form") else await self._watch(page)

    def _filled_in(self, form: Form, means: Means) -> dict[str, str]:
        if means.is_debit and "iban" not in form.fields:
            means = GOOD
        method = (
            {"method": "debit", "iban": means.number}
            if means.is_debit
            else {"method": "card", "cardNumber": means.number, "cardExpiry": "12 / 34", "cardCvc": "123"}
        )
        return method | {"email": self._person.email, "billingName": self._person.name}

    async def _watch(self, page: Page) -> str:
        """The order's page, until it shows how the payment ended."""
        for _ in range(LOOKS):
            if page.payment_status not in ("", "pending", "processing"):
                break
            await asyncio.sleep(BETWEEN_LOOKS)
            page = await self._browser.open(page.url)
        return page.payment_status or "not seen"

    async def _press(self, page: Page, form: Form, **typed: str) -> Page:
        """And again, while the shop says that its payment provider is not there."""
        await self._think()
        page = await self._browser.submit(page, form, **typed)
        for seconds in PATIENCE:
            again = page.form("/pay/")
            if page.status != 503 or again is None:
                return page
            await asyncio.sleep(seconds)
            page = await self._browser.submit(page, again)
        raise Gone("the payment page never opened")

    async def _think(self, times: float = 1) -> None:
        await asyncio.sleep(self._person.pause(times * self._thinking))
