"""The test accounts of https://docs.stripe.com/payments/sepa-debit/accept-a-payment#test-your-integration"""

from dataclasses import KW_ONLY, dataclass

from sandbox.stripe.scenarios import RefundCourse, Scenario

# The other currencies get SEPA's here, for which Stripe wants euros, so that every shop can try one.
_DEBITS = {"gbp": "bacs_debit", "usd": "us_bank_account"}


@dataclass(frozen=True)
class TestAccount(Scenario):
    """A bank debit is only known to have worked some time after the shopper has gone."""

    iban: str
    effect: str
    _: KW_ONLY
    refund: RefundCourse = "pending"

    @property
    def last4(self) -> str:
        return self.iban[-4:]

    @property
    def grouped(self) -> str:
        return " ".join(self.iban[i : i + 4] for i in range(0, len(self.iban), 4))


SUCCESS = TestAccount("AT611904300234573201", "pays later")
FAILURE = TestAccount(
    "AT861904300235473202",
    "fails later",
    code="payment_intent_payment_attempt_failed",
    message="The payment failed.",
)
ACCOUNTS = (
    SUCCESS,
    FAILURE,
    TestAccount(
        "AT981904300002222227",
        "lacks funds",
        code="insufficient_funds",
        message="The customer's account has insufficient funds to cover this payment.",
    ),
    TestAccount("AT591904300235473203", "disputed later", dispute="fraudulent"),
)
BY_IBAN = {account.iban: account for account in ACCOUNTS}


def debit_type(currency: str) -> str:
    """Stripe's name for a bank debit in this currency."""
    return _DEBITS.get(currency, "sepa_debit")


def is_iban(text: str) -> bool:
    """ISO 13616: country, two check digits, and 97 into the whole leaves 1."""
    moved = text[4:] + text[:4]
    letters = text.isascii() and text.isalnum() and text[:2].isalpha() and 15 <= len(text) <= 34
    return letters and int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1
