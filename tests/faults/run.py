"""One run: a world, its people, one trouble after the other, and in the end the checker."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.faults import checker, truth, waves
from tests.faults.history import History
from tests.faults.people import Crowd
from tests.faults.probes import Probes
from tests.faults.result import Result, Size
from tests.faults.troubles import Trouble
from tests.faults.truth import Database, Stripe
from tests.faults.waiting import until, when
from tests.faults.watching import Watch
from tests.faults.waves import Waves
from tests.faults.world import World

GRACE = 3.0
"""Seconds after healing in which something may still fail: connections that died are kept in some pool."""
STUCK = 600.0
"""Seconds without the deliveries that the next trouble waits for: nobody comes any more."""
LATE = 0.02
"""Which part of the events comes a month late."""
LOST = 0.04
"""Which part is not told at all, where the reconciler has the time to find it."""
SHELVES: dict[str, int | None] = {"counter-bell": 40, "door-chime": None, "bicycle-bell": 100_000}


Say = Callable[[str], None]


async def run(
    directory: Path,
    result: Result,
    plan: Sequence[Trouble],
    size: Size,
    *,
    mutant: str = "",
    without_valkey: bool = False,
    say: Say = lambda text: None,
) -> None:
    """Play the seed of `result`, and fill it in. The history is `directory`/history.jsonl."""
    seed = result.seed
    async with World(directory, seed, mutant=mutant, without_valkey=without_valkey) as world:
        result.violations, result.counts = world.history.violations, world.history.counts
        database = Database(world.postgres.url)
        for slug, stock in SHELVES.items():
            database.do("UPDATE shop_product SET stock = %s WHERE slug = %s", stock, slug)
        _blame_what_nobody_catches(world.history)
        world.post.month_late = LATE
        world.post.lost_for_good = LOST if size.rescue else 0
        watch = Watch(world.history, world.pages)
        crowd = Crowd(world, seed, watch, at_once=size.at_once, most_pages=size.pages)
        waves_ = Waves(world, crowd, result, size.wave)
        probes = Probes(world, crowd, watch, database, result)
        stage = _Stage(world, crowd, watch, database, waves_, probes, size, result, say)
        await stage.waves.come_and_go()
        await crowd.open(size.dashboards)
        await stage.play(plan, Random(f"{seed} troubles"))  # noqa: S311
        await stage.end()
        result.asked = _seconds(world)
        result.troubles = _troubles(world)


@dataclass(frozen=True, slots=True)
class _Stage:
    world: World
    crowd: Crowd
    watch: Watch
    database: Database
    waves: Waves
    probes: Probes
    size: Size
    result: Result
    say: Say

    async def play(self, plan: Sequence[Trouble], dice: Random) -> None:
        for number, trouble in enumerate(plan, 1):
            await self._until_delivered(self.size.deliveries * number // (len(plan) + 1))
            so_far = f"{self.world.history.now():6.0f} s  {self.world.post.deliveries:7} deliveries"
            self.say(f"{so_far}  {trouble.name}")
            await self._endure(trouble, dice)
        await self._until_delivered(self.size.deliveries)

    async def _until_delivered(self, deliveries: int) -> None:
        """Raises TimeoutError."""

        def delivered() -> bool:
            self.crowd.must_go_on()
            return self.world.post.deliveries >= deliveries

        await when(delivered, STUCK)

    async def _endure(self, trouble: Trouble, dice: Random) -> None:
        history = self.world.history
        await when(lambda: history.is_quiet)
        page = await self.probes.log_somebody_out()
        history.trouble_begins(trouble.name, trouble.may_fail_in(self.world))
        async with trouble.cause(self.world, dice):
            await asyncio.sleep(min(trouble.seconds, self.size.longest))
        history.trouble_is_over(felt_for=GRACE)
        pausing = asyncio.create_task(self.crowd.pause())
        await self._heal(pausing.done)
        await pausing
        await self.probes.must_be_over(page, trouble.name)
        if not self.world.without_valkey:
            await self.probes.pay()
        self.crowd.go_on()

    async def _heal(self, is_calm: Callable[[], bool] = lambda: True) -> None:
        seconds, wrong = await self.watch.heal(self.database, is_calm)
        self.result.converged += seconds
        for fault in wrong:
            self.world.history.violation("D", fault)

    # --- the end ------------------------------------------------------------------------------------

    async def end(self) -> None:
        """Everybody leaves, everything is told, and it is all looked at."""
        history = self.world.history
        await self.crowd.leave()
        await self._until_all_is_told()
        await self._heal()
        for fault in await self.watch.words_differ():
            history.violation("D", fault)
        for stranger in self.watch.strangers_orders(self.database.now_shown()):
            history.violation("E", stranger)
        for page in list(self.watch.pages):
            self.watch.close(page)
        for _ in range(waves.LAST):
            await self.waves.come_and_go()
        self.waves.nothing_is_kept()
        stripe = Stripe.read(self.world.directory)
        self._blame(checker.in_the_end(self.database, stripe, history, SHELVES))
        self._blame(checker.mails_faults(self.world.mail, self.database, history))

    def _blame(self, faults: Iterable[checker.Fault]) -> None:
        for letter, fault in faults:
            self.world.history.violation(letter, fault)

    async def _until_all_is_told(self) -> None:
        """Webhooks are delivered, also late ones; the reconciler and the post office have had time."""
        world = self.world
        world.post.month_late = 0
        await until(self._nothing_is_on_its_way, 60)
        await world.post.deliver_what_is_late()
        await self._until_the_worker_has(self._lost_events, "events got lost for good")
        books = Stripe.read(world.directory)
        self._blame(checker.before_it_comes_again(self.database, books, world.history))
        await world.post.deliver_again()
        await self._until_the_worker_has(self._unsent_emails, "e-mails are due")
        for _ in range(5):
            self.database.do("UPDATE shop_stripeevent SET retry_at = now() WHERE retry_at IS NOT NULL")
            self.database.do(_AN_HOUR_LATER)
            await world.manage("reconcile", "--older-than", "0")
            await until(self._nothing_is_on_its_way, 60)
            if not self.database.rows("SELECT id FROM shop_stripeevent WHERE retry_at IS NOT NULL"):
                break
        self.database.do("UPDATE shop_orderemail SET due_at = now() WHERE due_at IS NOT NULL")
        await world.manage("shell", "--no-imports", "-c", "from shop import emails; emails.send_due()")

    def _nothing_is_on_its_way(self) -> bool:
        return truth.undelivered(self.world.directory, but=self.world.post.lost) == 0

    def _lost_events(self) -> int:
        inbox = {row["id"] for row in self.database.rows("SELECT id FROM shop_stripeevent")}
        return len(self.world.post.lost - inbox)

    def _unsent_emails(self) -> int:
        return len(self.database.rows(_UNSENT))

    async def _until_the_worker_has(self, left: Callable[[], int], otherwise: str) -> None:
        """By itself, and what one left that was killed is the next one's."""
        if self.size.rescue:
            try:
                await until(lambda: not left(), self.size.rescue)
            except TimeoutError:
                self.world.history.violation("B", f"no worker has done its work: {left()} {otherwise}")


def _blame_what_nobody_catches(history: History) -> None:
    """As what a frame raises that a page cannot apply, in the middle of asyncio."""

    def blame(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and not isinstance(error, OSError):
            history.violation("D", f"{context['message']}: {error!r}")

    asyncio.get_running_loop().set_exception_handler(blame)


_AN_HOUR_LATER = "UPDATE shop_refund SET created_at = now() - interval '1 hour' WHERE status = 'requested'"
_UNSENT = "SELECT id FROM shop_orderemail WHERE sent_at IS NULL AND tries = 0 AND due_at < now()"


def _seconds(world: World) -> dict[str, list[float]]:
    """Of what was answered; who is told to come again has not been served."""
    asked: dict[str, list[float]] = {}
    otherwise = "Valkey gone for good" if world.without_valkey else "nothing"
    for entry in world.history.of("delivery", "request"):
        if 200 <= entry["status"] < 400:
            what = "webhook" if entry["what"] == "delivery" else entry["of"]
            asked.setdefault(f"{what} during {entry['during'] or otherwise}", []).append(entry["seconds"])
    return asked


def _troubles(world: World) -> Counter[str]:
    healed = Counter(entry["trouble"] for entry in world.history.of("healed"))
    return healed - Counter(entry["trouble"] for entry in world.history.of("not possible here", "not hit"))
