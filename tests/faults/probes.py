"""One small thing beside each trouble: a session that ends before it, a payment when it is mended."""

import asyncio
from dataclasses import dataclass

from tests.faults.page import Page
from tests.faults.people import Crowd
from tests.faults.promises import CONVERGED
from tests.faults.result import Result
from tests.faults.truth import Database
from tests.faults.waiting import until, when
from tests.faults.watching import Watch
from tests.faults.world import World

PAID_IN = 10.0
"""Seconds that the webhook of a payment has in quiet times, with some tries."""


@dataclass(frozen=True, slots=True)
class Probes:
    world: World
    crowd: Crowd
    watch: Watch
    database: Database
    result: Result

    async def log_somebody_out(self) -> Page:
        """By a copy of her cookies: her page, a dashboard, has not heard of it yet."""
        browser = await self.crowd.log_in("leaver", "staff")
        page = await browser.open("/dashboard/")
        await when(lambda: page.open, CONVERGED)
        elsewhere = self.crowd.visitor("leaver")
        elsewhere.cookies, elsewhere.csrf_token = dict(browser.cookies), browser.csrf_token
        answer = await elsewhere.post("/accounts/logout/", {})
        assert answer.status == 302, answer.status
        return page

    async def must_be_over(self, page: Page, trouble: str) -> None:
        """It is mended, and the page has given way to the log-in."""
        try:
            await when(lambda: "numbers" not in page.document, CONVERGED)
        except TimeoutError:
            said = f"a dashboard is open whose session ended before {trouble}"
            self.world.history.violation("E", said)
        page.close()

    async def pay(self) -> None:
        """How long that takes to all dashboards: the sweep alone would bring it, too, but later."""
        paid_for = await self.crowd.buy_one_more()
        if not paid_for:
            return
        try:
            await until(lambda: bool(self.database.rows(_PAID, paid_for)), PAID_IN)
        except TimeoutError:
            return  # its webhook got lost for good
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            await when(lambda: self.watch.all_list(paid_for), CONVERGED)
        except TimeoutError:
            self.world.history.violation("D", f"order {paid_for} was paid, and not all dashboards show it")
        self.result.pushed.append(loop.time() - since)


_PAID = "SELECT id FROM shop_order WHERE public_id = %s AND payment_status = 'paid'"
