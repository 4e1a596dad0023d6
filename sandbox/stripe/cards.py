"""The test cards of https://docs.stripe.com/testing that the hosted page takes."""

from dataclasses import dataclass

from sandbox.stripe.scenarios import Scenario


@dataclass(frozen=True)
class TestCard(Scenario):
    number: str
    effect: str
    brand: str = "visa"

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def grouped(self) -> str:
        return " ".join(self.number[i : i + 4] for i in range(0, len(self.number), 4))


def _poor(number: str, effect: str, *, authenticates: bool = False) -> TestCard:
    return TestCard(
        number,
        effect,
        code="card_declined",
        decline_code="insufficient_funds",
        message="Your card has insufficient funds.",
        authenticates=authenticates,
    )


SUCCESS = TestCard("4242424242424242", "pays")
CARDS = (
    SUCCESS,
    TestCard(
        "4000000000000002",
        "declined",
        code="card_declined",
        decline_code="generic_decline",
        message="Your card was declined.",
    ),
    _poor("4000000000009995", "insufficient funds"),
    TestCard("4000002760003184", "asks for authentication", authenticates=True),
    _poor("4000008260003178", "authentication, then insufficient funds", authenticates=True),
    TestCard("4000000000000259", "pays, then disputed as fraud", dispute="fraudulent"),
    TestCard("4000000000002685", "pays, then disputed as not received", dispute="product_not_received"),
    TestCard("4000000000001976", "pays, then the bank inquires", dispute="fraudulent", inquiry=True),
    TestCard("4000000000007726", "pays; a refund is pending first", refund="pending"),
    TestCard("4000000000005126", "pays; a refund fails later", refund="fails"),
)
BY_NUMBER = {card.number: card for card in CARDS}


def passes_luhn(number: str) -> bool:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (doubled + sum(int(digit) for digit in number[-1::-2])) % 10 == 0
