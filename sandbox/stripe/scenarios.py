from dataclasses import dataclass, fields
from typing import Literal

from sandbox.stripe.store import Json

# Of a refund: it is there at once, it is pending first, or it is there at once and fails later.
RefundCourse = Literal["succeeds", "pending", "fails"]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How a payment with a test card or account goes on; as it is by default, everything is well at once.

    `code`, `decline_code` and `message` are Stripe's for a payment that fails. `dispute` is the reason of
    the dispute that follows the payment; with `inquiry` the bank only asks.
    """

    code: str | None = None
    decline_code: str | None = None
    message: str = ""
    authenticates: bool = False
    dispute: str | None = None
    inquiry: bool = False
    refund: RefundCourse = "succeeds"

    def kept(self) -> Json:
        """What `Scenario(**kept)` makes again: a payment goes on when nobody holds the card any more."""
        return {field.name: getattr(self, field.name) for field in fields(Scenario)}
