import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.stripe.api.session_params import EMAIL
from sandbox.stripe.cards import BY_NUMBER, CARDS, SUCCESS, passes_luhn
from sandbox.stripe.objects.charge import Buyer

FIELDS = ("email", "cardNumber", "cardExpiry", "cardCvc", "billingName")


@dataclass
class PaymentForm:
    """What the shopper typed, and what is wrong with it: `errors` by field name."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    declined: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, object]) -> "PaymentForm":
        return cls({name: str(fields.get(name, ""))[:200].strip() for name in FIELDS})

    @classmethod
    def with_test_card(cls, fields: Mapping[str, object]) -> "PaymentForm":
        form = cls.of(fields)
        expiry = f"12 / {(datetime.now(UTC).year + 3) % 100:02}"
        form.values.update(cardNumber=SUCCESS.grouped, cardExpiry=expiry, cardCvc="123")
        form.values["email"] = form.values["email"] or "shopper@example.com"
        form.values["billingName"] = form.values["billingName"] or "Test Shopper"
        return form

    def buyer(self) -> Buyer | None:
        """The checked values, or None after filling `errors`."""
        number = re.sub(r"[\s-]", "", self.values["cardNumber"])
        expiry = self._expiry()
        if not EMAIL.fullmatch(self.values["email"]):
            self.errors["email"] = "Enter an e-mail address like name@example.com."
        if problem := _number_problem(number):
            self.errors["cardNumber"] = problem
        if not re.fullmatch(r"[0-9]{3}", self.values["cardCvc"]):
            self.errors["cardCvc"] = "Enter the three digits of the security code; here any will do."
        if not self.values["billingName"]:
            self.errors["billingName"] = "Enter the name on the card; here any will do."
        if self.errors or expiry is None:
            return None
        name, email = self.values["billingName"], self.values["email"]
        return Buyer(email, name, BY_NUMBER[number], exp_month=expiry[1], exp_year=expiry[0])

    def decline(self, message: str) -> None:
        self.declined = message
        self.errors["cardNumber"] = "Try another card."

    def forget_real_card(self) -> None:
        """A number that might be somebody's is not sent back, not even to the one who typed it."""
        number = re.sub(r"[\s-]", "", self.values["cardNumber"])
        if number not in BY_NUMBER and _looks_real(number):
            self.values.update(cardNumber="", cardCvc="", cardExpiry="")

    def _expiry(self) -> tuple[int, int] | None:
        match = re.fullmatch(r"(0?[1-9]|1[0-2])\s*/?\s*(?:20)?([0-9]{2})", self.values["cardExpiry"])
        if match is None:
            self.errors["cardExpiry"] = "Enter month and year, like 12 / 34."
            return None
        expiry = (2000 + int(match[2]), int(match[1]))
        now = datetime.now(UTC)
        if expiry < (now.year, now.month):
            self.errors["cardExpiry"] = "Your card's expiration date is in the past; any later one will do."
        return expiry


def _number_problem(number: str) -> str:
    cards = ", ".join(card.grouped for card in CARDS)
    if number in BY_NUMBER:
        return ""
    if not number:
        return f"Enter a card number: {SUCCESS.grouped} pays."
    if _looks_real(number):
        return f"No real cards here, please. This page takes only test cards: {cards}."
    return f"Your card number is not valid. This page takes only test cards: {cards}."


def _looks_real(number: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{12,19}", number)) and passes_luhn(number)
