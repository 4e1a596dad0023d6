import hashlib
import hmac
from collections.abc import Sequence


def signature_header(body: str, secrets: Sequence[str], timestamp: int) -> str:
    """`t=…,v1=…`, with one v1 for each secret: https://docs.stripe.com/webhooks#verify-manually"""
    signed = f"{timestamp}.{body}".encode()
    marks = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={timestamp}", *(f"v1={mark}" for mark in marks)])
