"""Whose word counts for who calls, and how: that of the proxies in TRUSTED_PROXIES, and nobody else's."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings

from project.asgi_types import Headers, Scope

Address = IPv4Address | IPv6Address

FORWARDED = "shopbell.forwarded"
"""In a scope: whether somebody said that the request was handed on, with or without the right to say so."""
REQUEST_ID = b"x-request-id"
"""A header that only a proxy of ours may set (project/request_id.py)."""
UNIX = "unix"
"""In TRUSTED_PROXIES: whoever may open our Unix socket. A peer there has no address."""

_PREFIXES = (b"x-forwarded", b"x-origin", b"cf-connecting")
_NAMES = {
    b"client-ip",
    b"daphne-root-path",
    b"fastly-client-ip",
    b"forwarded",
    b"front-end-https",
    b"script-name",
    b"true-client-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-real-ip",
    b"x-rewrite-url",
    b"x-scheme",
    b"x-script-name",
    b"x-url-scheme",
}


def from_client(scope: Scope) -> Scope:
    """The scope as if the client had come without proxies.

    From a proxy of ours the client's address and the scheme are what it says in X-Forwarded-For and
    X-Forwarded-Proto. Then every header of that kind is gone, whoever sent it, so that nothing behind here
    can believe it; and we live at the root, whatever anybody says (Daphne believes `Daphne-Root-Path`).
    """
    if scope["type"] not in ("http", "websocket"):
        return scope
    headers: Headers = scope["headers"]
    kept = [(name, value) for name, value in headers if not _is_of_proxies(name)]
    forwarded = len(kept) < len(headers) or any(name.lower() == b"via" for name, _ in kept)
    scope = {**scope, "headers": kept, "root_path": "", FORWARDED: forwarded}
    peer = scope.get("client")
    if not _is_trusted(_address(peer[0]) if peer else None):
        scope["headers"] = [(name, value) for name, value in kept if name.lower() != REQUEST_ID]
        return scope
    if client := _client(_all(headers, b"x-forwarded-for")):
        scope["client"] = [str(client), 0]
    if _all(headers, b"x-forwarded-proto")[-1:] == ["https"]:
        scope["scheme"] = "wss" if scope["type"] == "websocket" else "https"
    return scope


def _is_of_proxies(name: bytes) -> bool:
    # Some servers make the same of `X_Forwarded_For` as of `X-Forwarded-For`.
    name = name.lower().replace(b"_", b"-")
    return name in _NAMES or name.startswith(_PREFIXES)


def _client(chain: list[str]) -> Address | None:
    """Of the addresses that handed the request on: the last one that is no proxy of ours, because what stands
    before it is only what it said itself.
    """
    client = None
    for hop in reversed(chain):
        address = _address(hop)
        if address is None:  # then the proxy that took the request from there is the last that we know
            break
        client = address
        if not _is_trusted(address):
            break
    return client


def _is_trusted(address: Address | None) -> bool:
    trusted = settings.TRUSTED_PROXIES
    return UNIX in trusted if address is None else any(address in net for net in trusted if net != UNIX)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _all(headers: Headers, wanted: bytes) -> list[str]:
    """The values of all headers of that name, in their order."""
    values = b",".join(value for name, value in headers if name.lower() == wanted).decode("latin-1")
    return [part.strip() for part in values.split(",") if part.strip()]
