"""Where the shop is, for links that leave it."""

from django.conf import settings
from django.http import HttpRequest


def site_of(request: HttpRequest) -> str:
    """The origin that a request came to if it is one of settings.SITE_ORIGINS, else the shop's own: whatever
    the request says, it names no other.
    """
    origin = f"{request.scheme}://{request.get_host()}"
    return origin if origin in settings.SITE_ORIGINS else settings.PUBLIC_URL
