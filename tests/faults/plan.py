"""Which troubles a seed brings, and in which order."""

from random import Random

from tests.faults.troubles import TROUBLES, Trouble

SHORT_SEEDS = (1, 2, 3)


def short(seed: int) -> list[Trouble]:
    """A third of all troubles: three seeds in a row have all of them."""
    return _shuffled(TROUBLES[seed % 3 :: 3], seed)


def long(seed: int, kills: int) -> list[Trouble]:
    """Each once, and of those that kill enough to have so many processes killed."""
    killing = [trouble for trouble in TROUBLES if trouble.kills]
    dice = Random(f"{seed} kills")  # noqa: S311
    # The web processes are what dies most often in life: each deployment, each of our mistakes.
    more = dice.choices(killing, weights=[4 if "web" in one.name else 1 for one in killing], k=kills)
    return _shuffled([*TROUBLES, *more], seed)


def _shuffled(troubles: list[Trouble], seed: int) -> list[Trouble]:
    shuffled = list(troubles)
    Random(f"{seed} order").shuffle(shuffled)  # noqa: S311
    return shuffled
