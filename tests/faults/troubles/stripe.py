"""Stripe: its API, its webhooks, all of it."""

import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx

from sandbox import parts
from tests.faults.troubles.trouble import NOTHING, killed, trouble
from tests.faults.waiting import until
from tests.faults.world import World

WHAT_ASKS_STRIPE = frozenset({"checkout", "Stripe", "staff"})


@trouble("Stripe slow, broken, busy and cut off", 5, may_fail=WHAT_ASKS_STRIPE)
async def stripe_ails(world: World, dice: Random) -> AsyncIterator[None]:
    ills = {"api_slow": 10, "api_slow_seconds": 3, "api_500": 20, "api_429": 10, "api_cut": 20}
    await _control(world, "/control/chaos", ills)
    yield
    await _control(world, "/control/chaos", dict.fromkeys(("api_slow", "api_500", "api_429", "api_cut"), 0))


@trouble("webhooks off", 5, may_fail=NOTHING)
async def webhooks_off(world: World, dice: Random) -> AsyncIterator[None]:
    world.post.is_off = True
    yield
    world.post.is_off = False


@trouble("Stripe killed", 0.5, kills=True, may_fail=WHAT_ASKS_STRIPE)
async def stripe_killed(world: World, dice: Random) -> AsyncIterator[None]:
    async with killed(world, world.stripe):
        yield
    world.start(world.stripe)
    await until(parts.is_healthy(world.stripe_port))


async def _control(world: World, path: str, fields: dict[str, Any]) -> None:
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=world.stripe_url, headers=headers, trust_env=False) as page:
        (await page.post(path, content=json.dumps(fields))).raise_for_status()
