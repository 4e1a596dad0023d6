import base64
import binascii
import hmac

from sandbox.stripe.api.errors import unauthorized

TEST_PREFIXES = ("sk_test_", "rk_test_")


def authenticate(header: str | None, expected: str | None) -> str:
    """The secret key of the request, given as Bearer or as the user of Basic; raises a 401 StripeError.

    https://docs.stripe.com/api/authentication
    """
    key = _key(header or "")
    if not key:
        raise unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header,"
            " using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    if key.startswith(("sk_live_", "rk_live_")):
        raise unauthorized("This is the local Stripe: it takes test keys only. Never send a live key here.")
    known = (
        hmac.compare_digest(key.encode(), expected.encode()) if expected else key.startswith(TEST_PREFIXES)
    )
    if not known:
        raise unauthorized(f"Invalid API Key provided: {_masked(key)}")
    return key


def _key(header: str) -> str:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _masked(key: str) -> str:
    shown = len("sk_test_")
    return key[:shown] + "*" * max(4, len(key) - shown - 4) + key[-4:] if len(key) > shown + 4 else "****"
