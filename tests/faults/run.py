"""One run: a world, its people, one trouble after the other, and in the end the checker."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults import checker, truth
from tests.faults.people import Crowd
from tests.faults.troubles import Trouble, make_webhooks_bad
from tests.faults.truth import Database, Stripe
from tests.faults.waiting import until, when
from tests.faults.watching import Watch
from tests.faults.world import World

GRACE = 3.0
"""Seconds after healing in which something may still fail: nginx asks a process again that was away."""
LATE = 0.02
"""Which part of the events comes a month late."""
SHELVES: dict[str, int | None] = {"counter-bell": 40, "door-chime": None, "bicycle-bell": 100_000}


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens. A trouble lasts `longest` seconds at most."""

    deliveries: int
    at_once: int = 4
    pages: int = 60
    dashboards: int = 8
    longest: float = 1.5
    wave: int = 20
    """Pages that come and go in the end, to see what stays of them."""


@dataclass
class Result:
    seed: int
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    converged: list[float] = field(default_factory=list)
    """Seconds from healing until a page was true, of all pages after all troubles."""
    asked: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each request, by what it was and what was going on."""
    levels: list[dict[str, int]] = field(default_factory=list)
    """Descriptors and bytes of all web processes, after each wave of pages."""
    logins: list[float] = field(default_factory=list)


Say = Callable[[str], None]


async def run(
    directory: Path,
    seed: int,
    plan: Sequence[Trouble],
    size: Size,
    *,
    mutant: str = "",
    without_valkey: bool = False,
    say: Say = lambda text: None,
) -> Result:
    """Play it; its history is `directory`/history.jsonl, broken promises are in the result's `violations`."""
    result = Result(seed)
    async with World(directory, seed, mutant=mutant, without_valkey=without_valkey) as world:
        database = Database(world.postgres.url)
        for slug, stock in SHELVES.items():
            database.do("UPDATE shop_product SET stock = %s WHERE slug = %s", stock, slug)
        await make_webhooks_bad(world, seed)
        world.post.month_late = LATE
        watch = Watch(world.history, world.pages)
        crowd = Crowd(world, seed, watch, at_once=size.at_once, most_pages=size.pages)
        await crowd.open(size.dashboards)
        stage = _Stage(world, crowd, watch, database, size, result, say)
        await stage.play(plan, Random(f"{seed} troubles"))  # noqa: S311
        await stage.end()
        result.violations = world.history.violations
        result.counts = world.history.counts
        result.asked = _seconds(world)
    return result


@dataclass(frozen=True, slots=True)
class _Stage:
    world: World
    crowd: Crowd
    watch: Watch
    database: Database
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
        await when(lambda: self.world.post.deliveries >= deliveries)

    async def _endure(self, trouble: Trouble, dice: Random) -> None:
        history = self.world.history
        if self.world.grace:
            self.world.grace.cancel()
        unfelt = trouble.is_unfelt and self.world.is_behind_nginx
        history.trouble = "" if unfelt else trouble.name
        async with trouble.cause(self.world, dice):
            await asyncio.sleep(min(trouble.seconds, self.size.longest))
        history.note("healed", trouble=trouble.name)
        self.world.grace = asyncio.get_running_loop().call_later(GRACE, self._forget)
        pausing = asyncio.create_task(self.crowd.pause())
        await self._heal(pausing.done)
        await pausing
        self.crowd.go_on()

    def _forget(self) -> None:
        self.world.history.trouble = ""

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
        await self._come_and_go()
        stripe = Stripe.read(self.world.directory)
        for fault in [
            *checker.in_the_end(self.database, stripe, history, SHELVES),
            *checker.mails_faults(self.world.mail, self.database, history),
        ]:
            history.violation(fault[0], fault[3:])

    async def _until_all_is_told(self) -> None:
        """Webhooks are delivered, also late ones; the reconciler and the post office have had time."""
        world = self.world
        world.post.month_late = 0
        await until(lambda: truth.undelivered(world.directory) == 0, 60)
        await world.post.deliver_what_is_late()
        await world.post.deliver_again()
        for fault in checker.before_anybody_asks_stripe(self.database):
            world.history.violation(fault[0], fault[3:])
        for _ in range(5):
            self.database.do("UPDATE shop_stripeevent SET retry_at = now() WHERE retry_at IS NOT NULL")
            self.database.do(_AN_HOUR_LATER)
            await world.manage("reconcile", "--older-than", "0")
            await until(lambda: truth.undelivered(world.directory) == 0, 60)
            if not self.database.rows("SELECT id FROM shop_stripeevent WHERE retry_at IS NOT NULL"):
                break
        self.database.do("UPDATE shop_orderemail SET due_at = now() WHERE due_at IS NOT NULL")
        await world.manage("shell", "--no-imports", "-c", "from shop import emails; emails.send_due()")

    async def _come_and_go(self) -> None:
        """Waves of pages that all come at once; what they cost has to be given back."""
        for page in list(self.watch.pages):
            self.watch.close(page)
        for _ in range(3):
            await self._wave()
            self.result.levels.append(await self._level())
        (descriptors, memory), (then, memory_then) = (level.values() for level in self.result.levels[1:])
        if then > descriptors + 10:
            self.world.history.violation(
                "F", f"{descriptors} descriptors were open after a wave, then {then}"
            )
        if memory_then > memory * 1.1:
            self.world.history.violation("F", f"{memory} bytes were used after a wave, then {memory_then}")

    async def _wave(self) -> None:
        """They come one by one, are cut off, and come back at once; somebody logs in meanwhile."""
        visitors = [self.crowd.visitor(f"visitor-{number}") for number in range(self.size.wave)]
        pages = [await visitor.open("/") for visitor in visitors]
        await when(lambda: all(page.open for page in pages), 30)
        for page in pages:
            page.sleep()
        await when(lambda: not any(page.open for page in pages), 30)
        for page in pages:
            page.wake()
        started = asyncio.get_running_loop().time()
        await self.crowd.log_in("visitor", "staff")
        self.result.logins.append(asyncio.get_running_loop().time() - started)
        await when(lambda: all(page.open for page in pages), 30)
        for page in pages:
            page.close()

    async def _level(self) -> dict[str, int]:
        """When it has settled."""
        level, before = _usage(self.world), None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                while level != before:
                    await asyncio.sleep(0.5)
                    before, level = level, _usage(self.world)
        return level


_AN_HOUR_LATER = "UPDATE shop_refund SET created_at = now() - interval '1 hour' WHERE status = 'requested'"


def _usage(world: World) -> dict[str, int]:
    usage = {"descriptors": 0, "memory": 0}
    for web in world.webs:
        usage["descriptors"] += len(list(Path(f"/proc/{web.pid}/fd").iterdir()))
        statm = Path(f"/proc/{web.pid}/statm").read_text()
        usage["memory"] += int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return usage


def _seconds(world: World) -> dict[str, list[float]]:
    asked: dict[str, list[float]] = {}
    for entry in world.history.of("delivery", "request"):
        what = entry.get("of", "webhook")
        asked.setdefault(f"{what} during {entry['during'] or 'nothing'}", []).append(entry["seconds"])
    return asked
