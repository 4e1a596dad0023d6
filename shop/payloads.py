"""What Stripe signed, to be looked at by staff: without what it says about card holders."""

import re
from typing import Any

MASK = "•••"
DEEPEST = 50

# By the keys that Stripe uses for it, wherever they stand; all that is below such a key goes with it.
_PERSONAL = re.compile(
    r"""
    (^|_) (name | email | phone | address | addresses | last4 | fingerprint | ip | url | number | notes?
        | dob | birth\w* | ssn\w* | iban | bic | swift | sort_code | tax_ids? | postal_code | email_address
        | verification | signature | communication | description | statement_descriptor\w*
        | line[12] | city | zip | cashtag | cardholder) $
    | ^ address_
    | ^ (exp_month | exp_year | iin | cvc | reference | owner | customer_details | billing_details | shipping
        | shipping_details | collected_information | custom_fields | evidence) $
    | secret | token
    """,
    re.VERBOSE,
)
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]+")  # no longer, or a long text without one takes for ever
_OURS = frozenset({"public_id", "refund"})
"""Of `metadata`, what this shop wrote there itself; the rest may be anything."""


def masked(thing: Any, *, depth: int = 0) -> Any:
    """The same JSON with every personal value as `•••`; what is empty stays so. Too deep is masked whole."""
    if depth > DEEPEST:
        return MASK
    if isinstance(thing, dict):
        return {key: _value(key, value, depth + 1) for key, value in thing.items()}
    if isinstance(thing, list):
        return [masked(item, depth=depth + 1) for item in thing]
    return _EMAIL.sub(MASK, thing) if isinstance(thing, str) else thing


def _value(key: str, value: Any, depth: int) -> Any:
    if key == "metadata" and isinstance(value, dict):
        return {
            name: masked(part, depth=depth + 1) if name in _OURS else _hidden(part, depth + 1)
            for name, part in value.items()
        }
    return _hidden(value, depth) if _PERSONAL.search(key) else masked(value, depth=depth)


def _hidden(thing: Any, depth: int) -> Any:
    """Its shape, and whether there is something."""
    if depth > DEEPEST:
        return MASK
    if isinstance(thing, dict):
        return {key: _hidden(value, depth + 1) for key, value in thing.items()}
    if isinstance(thing, list):
        return [_hidden(item, depth + 1) for item in thing]
    return MASK if thing not in (None, "", False, True) else thing
