"""Who comes to the shop: what they want, how they pay, and whether they do."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from sandbox.stripe import bank_accounts, cards

Ending = Literal["pays", "pays later", "cancels", "abandons"]
ENDINGS: dict[Ending, int] = {"pays": 80, "pays later": 7, "cancels": 7, "abandons": 6}
NAMES = ("Ada", "Björk", "Chidi", "Dilek", "Eszter", "Farid", "Grace", "Hồng", "Inés", "Jun", "Kofi", "Łucja")


@dataclass(frozen=True)
class Means:
    """A card or an account, and whether its owner passes when the bank asks."""

    name: str
    number: str
    passes: bool = True

    @property
    def is_debit(self) -> bool:
        return self.number[0].isalpha()


GOOD = Means("card", cards.SUCCESS.number)
_BAD = [Means("declined card", card.number) for card in cards.CARDS if card.code and not card.authenticates]
_SECURE = next(card.number for card in cards.CARDS if card.authenticates and not card.code)
_FAILING = next(account.iban for account in bank_accounts.ACCOUNTS if account.code)
# One after the other, until one is taken; and how many of a hundred do so.
WALLETS: list[tuple[list[Means], int]] = [
    ([GOOD], 66),
    ([_BAD[0], GOOD], 7),
    ([_BAD[1], _BAD[0], GOOD], 4),
    ([Means("3-D Secure card", _SECURE)], 8),
    ([Means("3-D Secure, refused", _SECURE, passes=False), GOOD], 4),
    ([Means("bank debit", bank_accounts.SUCCESS.iban)], 7),
    ([Means("failing bank debit", _FAILING)], 4),
]


class Person:
    """The `number`-th shopper of a seed: whatever happens around them, they want the same each time."""

    def __init__(self, seed: int, number: int) -> None:
        self.number = number
        self._seed = seed
        dice = self._dice("character")
        self.name = f"{dice.choice(NAMES)} Shopper"
        self.email = f"shopper-{number}@example.com"
        self.ending = dice.choices([*ENDINGS], [*ENDINGS.values()])[0]
        wallets, weights = zip(*WALLETS, strict=True)
        self.wallet: list[Means] = dice.choices(wallets, weights)[0]
        self._pauses = self._dice("pauses")

    def basket(self, stock: Mapping[str, int], *, most: int = 3) -> dict[str, int]:
        """Some of what is there, by slug: a few things sell a lot, the rest now and then."""
        ranking = sorted(slug for slug, left in stock.items() if left > 0)
        Random(f"{self._seed} fashion").shuffle(ranking)  # noqa: S311  what is in fashion is so for everybody
        dice = self._dice("basket")
        wanted: dict[str, int] = {}
        for _ in range(min(most, dice.choices([1, 2, 3], [70, 22, 8])[0], len(ranking))):
            left = [slug for slug in ranking if slug not in wanted]
            slug = dice.choices(left, [1 / (1 + ranking.index(slug)) for slug in left])[0]
            wanted[slug] = min(dice.choices([1, 2, 3, 5], [80, 14, 4, 2])[0], stock[slug])
        return wanted

    def pause(self, mean: float) -> float:
        """Seconds until the next step: mostly a little less than `mean`, sometimes much more."""
        return mean * self._pauses.lognormvariate(-0.2, 0.6)

    def _dice(self, what: str) -> Random:
        return Random(f"{self._seed} {self.number} {what}")  # noqa: S311
