"""The test cards of https://docs.stripe.com/testing that the hosted page takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TestCard:
    """`code` and `decline_code` are Stripe's; None means that the payment succeeds."""

    number: str
    effect: str
    brand: str = "visa"
    code: str | None = None
    decline_code: str | None = None
    message: str = ""

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def grouped(self) -> str:
        return " ".join(self.number[i : i + 4] for i in range(0, len(self.number), 4))


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
    TestCard(
        "4000000000009995",
        "insufficient funds",
        code="card_declined",
        decline_code="insufficient_funds",
        message="Your card has insufficient funds.",
    ),
)
BY_NUMBER = {card.number: card for card in CARDS}


def passes_luhn(number: str) -> bool:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (doubled + sum(int(digit) for digit in number[-1::-2])) % 10 == 0
