"""The bank's HTTP API: as much of Stripe's as the shop asks for once a session is open."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.rule_book.bank import Bank, Json, Refused, Sale

Answer = tuple[int, Json]


class Counter:
    """Where one bank after the other is spoken to, at `url`."""

    def __init__(self) -> None:
        self.bank = Bank()
        self.url = ""

    def answer(self, method: str, path: str, params: dict[str, str], key: str) -> Answer:
        bank = self.bank
        if bank.mood == "down":
            return 503, _error("api_error", "")
        done = bank.answers.get(key) or self._do(method, path.split("/")[2:], params)
        if key:
            bank.answers[key] = done
        return (503, _error("api_error", "")) if bank.mood == "cut" else done

    def _do(self, method: str, path: list[str], params: dict[str, str]) -> Answer:
        try:
            match method, *path:
                case "GET", "events":
                    return 200, _list([word.event for word in reversed(self.bank.undelivered())])
                case "GET", "refunds":
                    return 200, _list(list(reversed(self._paid_with(params["payment_intent"]).refunds)))
                case "POST", "refunds":
                    return 200, self._refund(params)
                case "POST", "checkout", "sessions":
                    order = params["client_reference_id"]
                    return 200, next(s.opening for s in self.bank.sales if str(s.order.public_id) == order)
                case "GET", "checkout", "sessions", session_id:
                    return 200, _expanded(self._sale(session_id))
                case "POST", "checkout", "sessions", session_id, "expire":
                    self._sale(session_id).expire()
                    return 200, _expanded(self._sale(session_id))
        except Refused as refusal:
            return 400, _error("invalid_request_error", str(refusal))
        raise AssertionError(f"The shop asks for {method} {path}")

    def _refund(self, params: dict[str, str]) -> Json:
        if self.bank.mood == "no":
            raise Refused("charge_disputed")
        sale = self._paid_with(params["payment_intent"])
        metadata = {name[9:-1]: value for name, value in params.items() if name.startswith("metadata[")}
        return sale.refund(int(params["amount"]), "pending", metadata)

    def _sale(self, session_id: str) -> Sale:
        return next(sale for sale in self.bank.sales if sale.session["id"] == session_id)

    def _paid_with(self, intent_id: str) -> Sale:
        return next(sale for sale in self.bank.sales if sale.intent_id == intent_id)


def _expanded(sale: Sale) -> Json:
    """With its PaymentIntent, as the shop asks for it."""
    if sale.session["payment_intent"] is None:
        return sale.session
    status = "succeeded" if sale.is_paid else "requires_payment_method" if sale.failed else "processing"
    return sale.session | {"payment_intent": {"id": sale.intent_id, "status": status}}


def _list(data: list[Json]) -> Json:
    return {"object": "list", "data": data, "has_more": False, "url": "/"}


def _error(kind: str, code: str) -> Json:
    return {"error": {"type": kind, "code": code, "message": "No."}}


@contextmanager
def open_counter() -> Iterator[Counter]:
    counter = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            params = {name: values[0] for name, values in parse_qs(address.query + "&" + body).items()}
            key = self.headers.get("Idempotency-Key", "") if self.command == "POST" else ""
            status, answer = counter.answer(self.command, address.path, params, key)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  the name is http.server's

        def log_message(self, *_args: object) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True  # who asks keeps the line
    counter.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield counter
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
