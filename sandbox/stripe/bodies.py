from starlette.requests import Request


class TooLargeError(Exception):
    """The body is longer than we read."""


async def read_body(request: Request, most: int) -> bytes:
    """The raw body; raises TooLargeError as soon as more than `most` bytes have come."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLargeError
    return bytes(body)
