"""Members of staff, who log in as a browser does."""

import re
import uuid
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse

from bench.stage import Server
from bench.wire import Connection, request

PASSWORD = "bench"  # noqa: S105  of a database that is dropped when we are done


async def log_in(http: Connection, server: Server) -> str:
    """A new one, who may do everything; returns the session's cookie."""
    username = f"staff-{uuid.uuid4().hex}"
    await sync_to_async(User.objects.create_superuser)(username, password=PASSWORD)
    path = reverse("login")
    http.send(request(server, "GET", path))
    page = await http.answer()
    cookies = SimpleCookie("; ".join(page.headers.get_all("Set-Cookie", [])))
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.body.decode())
    form = {"csrfmiddlewaretoken": token and token[1], "username": username, "password": PASSWORD}
    http.send(
        request(
            server,
            "POST",
            path,
            urlencode(form).encode(),
            Content_Type="application/x-www-form-urlencoded",
            Cookie=f"{settings.CSRF_COOKIE_NAME}={cookies[settings.CSRF_COOKIE_NAME].value}",
        )
    )
    answer = await http.answer()
    cookies = SimpleCookie("; ".join(answer.headers.get_all("Set-Cookie", [])))
    if settings.SESSION_COOKIE_NAME not in cookies:
        raise RuntimeError(f"Logging in answered {answer.status}")
    return cookies[settings.SESSION_COOKIE_NAME].value
