"""Who may use the control page: a person at this machine, but no web page that they have open elsewhere."""

from starlette.requests import Request

HERE = frozenset(["127.0.0.1", "localhost", "::1"])


def refusal(request: Request, *, changes: bool = True) -> str:
    """Why not, as a sentence; empty if all is well."""
    # A stranger's name that resolves to 127.0.0.1 is how pages get around the browser's same-origin rule.
    if request.url.hostname not in HERE:
        return "Open this page as http://127.0.0.1, on the machine that it runs on."
    if changes and not _is_ours(request):
        return "Only the control page itself may do this."
    return ""


def _is_ours(request: Request) -> bool:
    """Browsers say who sends in Sec-Fetch-Site, older ones in Origin; what sends neither is no browser."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or origin == f"{request.url.scheme}://{request.url.netloc}"
