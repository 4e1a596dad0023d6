"""Who comes to the shop: shoppers who buy and watch, staff who watch and act, and Stripe's own buttons."""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from urllib.parse import urlsplit

from tests.faults import truth
from tests.faults.browser import Answer, Browser, NotOpened, Page, Unreachable, network
from tests.faults.dom import Document
from tests.faults.waiting import when
from tests.faults.watching import Watch
from tests.faults.world import World

GOOD, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 0002"
GOOD_IBAN, FAILING_IBAN = "AT611904300234573201", "AT861904300235473202"
WALLETS = [[GOOD]] * 16 + [[DECLINED, GOOD]] + [[GOOD_IBAN]] * 2 + [[FAILING_IBAN]] + [[]]
"""What somebody pays with; nothing is for who changes her mind."""
ALWAYS_THERE = "door-chime"
"""What is made to order."""
PATIENCE = 60
"""Tries of somebody who gets no answer, with half a second between."""
ORDER = re.compile(r"/orders/([0-9a-f-]{36})/")
DASHBOARDS = ("/dashboard/", "/dashboard/?status=paid", "/dashboard/?status=refunded", "/dashboard/webhooks/")


class Left(Exception):
    """Nobody answered for half a minute; she goes home."""


class Crowd:
    """Comes while it is let, `at_once` of them at a time; leaves pages open, `most_pages` of them."""

    def __init__(self, world: World, seed: int, watch: Watch, *, at_once: int, most_pages: int) -> None:
        self.world = world
        self.watch = watch
        self.orders: deque[str] = deque(maxlen=500)
        """Public ids of those that were paid for, as far as the buyers know."""
        self._seed = seed
        self._at_once = at_once
        self._most_pages = most_pages
        self._come = asyncio.Event()
        self._busy = 0
        self._shoppers = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.staff: list[Browser] = []
        self._looked_into: Page | None = None
        self._network = network()

    async def open(self, dashboards: int) -> None:
        """Staff open their pages, and everybody begins."""
        for number in range(dashboards):
            # An account has ten sockets, may look into an order, and those of a dead line count for a while.
            if number % 4 == 0:
                await self._hire(f"staff-{number // 4}")
            self.watch.keep(await self.staff[-1].open(DASHBOARDS[number % len(DASHBOARDS)], self.watch.look))
        self._tasks = [asyncio.create_task(self._shop_on()) for _ in range(self._at_once)]
        self._tasks += [asyncio.create_task(self._act_on(Random(f"{self._seed} staff")))]  # noqa: S311
        self.go_on()

    def go_on(self) -> None:
        self._come.set()

    async def pause(self) -> None:
        """Returns when nobody is in the middle of anything."""
        self._come.clear()
        await when(lambda: not self._busy)

    async def leave(self) -> None:
        await self.pause()
        self.must_go_on()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def must_go_on(self) -> None:
        """Raises what ended one of them for good: without people nothing is tried, and all looks well."""
        for task in self._tasks:
            if task.done():
                task.result()
                raise AssertionError("Somebody has stopped coming")

    def visitor(self, name: str) -> Browser:
        return Browser(self.world.url, name, transport=self._network, chance=Random(f"{self._seed} {name}"))  # noqa: S311

    def stripe(self) -> Browser:
        return Browser(self.world.stripe_url, transport=self._network)

    async def log_in(self, name: str, username: str) -> Browser:
        """Her browser, called so."""
        browser = self.visitor(name)
        await browser.get("/accounts/login/")
        fields = {"username": username, "password": self.world.staff_password}
        answer = await browser.post("/accounts/login/", fields)
        assert answer.status == 302, answer.status
        return browser

    async def _hire(self, name: str) -> None:
        create = _HIRE.format(name=name, password=self.world.staff_password)
        await self.world.manage("shell", "--no-imports", "-c", create)
        self.staff.append(await self.log_in(name, name))

    # --- shoppers -----------------------------------------------------------------------------------

    async def _shop_on(self) -> None:
        while True:
            await self._come.wait()
            self._busy += 1
            self._shoppers += 1
            name = f"shopper-{self._shoppers}"
            try:
                await _Shopper(self, self.visitor(name), Random(f"{self._seed} {name}")).come()  # noqa: S311
            except Left:
                self.world.history.note("left", who=name)
            finally:
                self._busy -= 1

    async def buy_one_more(self) -> str:
        """Somebody while nobody else does anything; empty if she could not."""
        self._shoppers += 1
        name = f"shopper-{self._shoppers}"
        shopper = _Shopper(self, self.visitor(name), Random(f"{self._seed} {name}"))  # noqa: S311
        try:
            return await shopper.buy([GOOD], only=ALWAYS_THERE) or ""
        except Left:
            return ""

    def keep(self, page: Page) -> None:
        """It stays open until newer ones need the room."""
        self.watch.keep(page)
        self.watch.let_go(self._most_pages)

    # --- staff and Stripe ---------------------------------------------------------------------------

    async def _act_on(self, dice: Random) -> None:
        deeds = [self._refund, self._prepare, self._ship, self._look_into, self._ask_stripe, self._ask_stripe]
        while True:
            await self._come.wait()
            await asyncio.sleep(dice.uniform(0.1, 0.4))
            if self._come.is_set() and self.orders:
                self._busy += 1
                try:
                    await dice.choice(deeds)(dice)
                except (Unreachable, Left):
                    pass  # they look again later
                finally:
                    self._busy -= 1

    async def _refund(self, dice: Random) -> None:
        await self._press(dice, "/refund/", amount="1.00", reason="duplicate")

    async def _prepare(self, dice: Random) -> None:
        await self._press(dice, "/prepare/")

    async def _ship(self, dice: Random) -> None:
        await self._press(dice, "/ship/", carrier="Post")

    async def _look_into(self, dice: Random) -> None:
        """One order's page is always open, another one now and then."""
        with contextlib.suppress(NotOpened):
            page = await self.staff[0].open(f"/dashboard/orders/{dice.choice(self.orders)}/", self.watch.look)
            if self._looked_into in self.watch.pages:
                self.watch.close(self._looked_into)
            self._looked_into = page
            self.watch.keep(page)

    async def _press(self, dice: Random, button: str, **typed: str) -> None:
        """On staff's page of some order; the button may be gone, or somebody faster."""
        path = f"/dashboard/orders/{dice.choice(self.orders)}/"
        browser = dice.choice(self.staff)
        answer = await self.ask(lambda: browser.get(path), "staff")
        if form := Document(answer.text).form(button):
            await self.ask(lambda: browser.post(form.action, form.fields | typed, path), "staff")

    async def _ask_stripe(self, dice: Random) -> None:
        """Somebody at Stripe's own dashboard, or a buyer's bank."""
        charges = truth.newest_charges(self.world.directory, 100)
        if not charges:
            return
        charge = dice.choice(charges)
        if dice.random() < 0.5:
            deeds = ["refund"] * 3  # so that several events change one order at once
        else:
            deeds = ["dispute", dice.choice(["win-dispute", "lose-dispute"])]
        stripe = self.stripe()
        await asyncio.gather(
            *(stripe.post(f"/control/payments/{charge}/{deed}", {"amount": "0.50"}) for deed in deeds)
        )

    async def ask(self, request: Callable[[], Awaitable[Answer]], what: str) -> Answer:
        """Again and again, as people press again what did not answer. Raises Left."""
        history = self.world.history
        for _ in range(PATIENCE):
            since = history.now()
            try:
                answer = await request()
                status = answer.status
            except Unreachable:
                answer, status = None, 0
            history.note_asked("request", what, since, status=status)
            if answer and status not in (0, 429, 500, 502, 503, 504):
                return answer
            await asyncio.sleep(0.5)
        raise Left


class _Shopper:
    def __init__(self, crowd: Crowd, browser: Browser, dice: Random) -> None:
        self._crowd = crowd
        self._browser = browser
        self._dice = dice

    async def come(self) -> None:
        """Choose, buy, pay, and leave the order's page open."""
        paid_for = await self.buy(self._dice.choice(WALLETS))
        if paid_for is not None:
            await self._watch(paid_for)

    async def buy(self, wallet: Sequence[str], *, only: str = "") -> str | None:
        """The order's public id; empty if it came to no payment, None if it is sold out. Of `only` a product,
        or of any."""
        shop = await self._crowd.ask(lambda: self._browser.get("/"), "page")
        slugs = re.findall(r'name="quantity-([\w-]+)"', shop.text)
        cart = {f"quantity-{slug}": "0" for slug in slugs}
        wanted = [only] if only else self._dice.sample(slugs, k=self._dice.randint(1, 2))
        for slug in wanted:
            cart[f"quantity-{slug}"] = str(self._dice.randint(1, 3))
        # The same cart again is the same order: whoever gets no answer may press again.
        answer = await self._crowd.ask(lambda: self._browser.post("/checkout/", cart), "checkout")
        if answer.status == 422:
            return None
        assert answer.status == 303, f"Checkout was answered with {answer.status}"
        self._crowd.world.history.note("sent to pay", session=urlsplit(answer.location).path.split("/")[-1])
        paid_for = await self._pay(answer.location, wallet)
        if paid_for:
            self._crowd.orders.append(paid_for)
        return paid_for

    async def _pay(self, address: str, wallet: Sequence[str]) -> str:
        stripe = self._crowd.stripe()
        for number in wallet:
            pay = partial(stripe.post, urlsplit(address).path, self._typed(number))
            answer = await self._crowd.ask(pay, "Stripe")
            if answer.status == 303 and (found := ORDER.search(answer.location)):
                return found[1]
        return ""

    def _typed(self, number: str) -> dict[str, str]:
        name = self._browser.name
        means = (
            {"method": "debit", "iban": number}
            if number.startswith("AT")
            else {"method": "card", "cardNumber": number, "cardExpiry": "12 / 34", "cardCvc": "123"}
        )
        return means | {"email": f"{name}@people.test", "billingName": name}

    async def _watch(self, paid_for: str) -> None:
        choices = ["/orders/", "/"] if not paid_for else [f"/orders/{paid_for}/"] * 8 + ["/orders/", "/"]
        path = self._dice.choice(choices)
        history = self._crowd.world.history
        for _ in range(PATIENCE):
            since, status = history.now(), 0
            try:
                self._crowd.keep(await self._browser.open(path, self._crowd.watch.look))
                return
            except NotOpened as error:
                status = error.answer.status
            except Unreachable:
                pass
            history.note_asked("request", "page", since, status=status)
            await asyncio.sleep(0.5)
        raise Left


_HIRE = """
from django.contrib.auth.models import User
User.objects.create_superuser({name!r}, password={password!r})
"""
