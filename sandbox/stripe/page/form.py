import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox.stripe import bank_accounts, cards
from sandbox.stripe.api.session_params import EMAIL
from sandbox.stripe.objects.payment_method import Buyer

FIELDS = ("email", "method", "cardNumber", "cardExpiry", "cardCvc", "iban", "billingName")


@dataclass
class PaymentForm:
    """What the shopper typed, and what is wrong with it: `errors` by field name.

    `kinds` is what the session offers, "card" or a bank debit or both; `method` is "card" or "debit".
    """

    values: dict[str, str]
    kinds: list[str]
    errors: dict[str, str] = field(default_factory=dict)
    refused: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, object], kinds: list[str]) -> "PaymentForm":
        form = cls({name: str(fields.get(name, ""))[:200].strip() for name in FIELDS}, kinds)
        if form.values["method"] not in form.methods:
            form.values["method"] = form.methods[0]
        return form

    @classmethod
    def with_test_data(cls, fields: Mapping[str, object], kinds: list[str]) -> "PaymentForm":
        form = cls.of(fields, kinds)
        expiry = f"12 / {(datetime.now(UTC).year + 3) % 100:02}"
        form.values.update(cardNumber=cards.SUCCESS.grouped, cardExpiry=expiry, cardCvc="123")
        form.values["iban"] = bank_accounts.SUCCESS.grouped
        form.values["email"] = form.values["email"] or "shopper@example.com"
        form.values["billingName"] = form.values["billingName"] or "Test Shopper"
        return form

    @property
    def methods(self) -> list[str]:
        return ["card" if kind == "card" else "debit" for kind in self.kinds]

    def buyer(self) -> Buyer | None:
        """The checked values, or None after filling `errors`."""
        if not EMAIL.fullmatch(self.values["email"]):
            self.errors["email"] = "Enter an e-mail address like name@example.com."
        buyer = self._card() if self.values["method"] == "card" else self._account()
        if not self.values["billingName"]:
            self.errors["billingName"] = "Enter the name on the card or account; here any will do."
        return None if self.errors else buyer

    def refuse(self, message: str) -> None:
        self.refused = message
        self.errors["cardNumber"] = "Try another card."

    def forget_real_numbers(self) -> None:
        """One that might be somebody's is not sent back, not even to the one who typed it."""
        number, iban = _compact(self.values["cardNumber"]), _compact(self.values["iban"])
        if number not in cards.BY_NUMBER and _looks_real(number):
            self.values.update(cardNumber="", cardCvc="", cardExpiry="")
        if iban not in bank_accounts.BY_IBAN and bank_accounts.is_iban(iban):
            self.values["iban"] = ""

    def _card(self) -> Buyer | None:
        number = _compact(self.values["cardNumber"])
        if problem := _number_problem(number):
            self.errors["cardNumber"] = problem
        expiry = self._expiry()
        if not re.fullmatch(r"[0-9]{3}", self.values["cardCvc"]):
            self.errors["cardCvc"] = "Enter the three digits of the security code; here any will do."
        card = cards.BY_NUMBER.get(number)
        if card is None or expiry is None:
            return None
        return Buyer(self.values["email"], self.values["billingName"], card, expiry[1], expiry[0])

    def _account(self) -> Buyer | None:
        iban = _compact(self.values["iban"])
        account = bank_accounts.BY_IBAN.get(iban)
        if account is None:
            self.errors["iban"] = _iban_problem(iban)
            return None
        return Buyer(self.values["email"], self.values["billingName"], account)

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


def _compact(number: str) -> str:
    return re.sub(r"[\s-]", "", number).upper()


def _number_problem(number: str) -> str:
    known = ", ".join(card.grouped for card in cards.CARDS[:3])
    if number in cards.BY_NUMBER:
        return ""
    if not number:
        return f"Enter a card number: {cards.SUCCESS.grouped} pays."
    if _looks_real(number):
        return f"No real cards here, please. This page takes only test cards: {known} and those below."
    return f"Your card number is not valid. This page takes only test cards: {known} and those below."


def _iban_problem(iban: str) -> str:
    if not iban:
        return f"Enter an IBAN: {bank_accounts.SUCCESS.grouped} pays."
    if bank_accounts.is_iban(iban):
        return "No real accounts here, please. This page takes only the test accounts below."
    return "The IBAN you entered is invalid. This page takes only the test accounts below."


def _looks_real(number: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{12,19}", number)) and cards.passes_luhn(number)
