"""Stripe's error answers: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes"""

from sandbox.stripe.store import Json

NOUNS = {
    "checkout.session": "checkout session",
    "payment_intent": "payment_intent",
    "charge": "charge",
    "dispute": "dispute",
    "event": "event",
    "item": "line item",
    "payment_method": "PaymentMethod",
    "refund": "refund",
}


class StripeError(Exception):
    """An answer that is an error object. `code` and `param` appear in it only when given."""

    def __init__(
        self, status: int, kind: str, message: str, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param

    def body(self) -> Json:
        error: Json = {"message": str(self), "type": self.kind}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


def invalid(
    message: str, param: str | None = None, code: str | None = None, status: int = 400
) -> StripeError:
    return StripeError(status, "invalid_request_error", message, code, param)


def unknown_parameter(param: str) -> StripeError:
    return invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")


def missing_parameter(param: str) -> StripeError:
    return invalid(f"Missing required param: {param}.", param, "parameter_missing")


def not_supported(param: str, allowed: str = "") -> StripeError:
    """Stripe knows it, we do not do it: said aloud, since a swallowed parameter would look like success."""
    reason = f"only {allowed} is supported" if allowed else "it is not supported"
    return invalid(f"The local Stripe does not do this: {param} ({reason}). Stripe itself does.", param)


def no_such(kind: str, object_id: str, param: str = "id", status: int = 404) -> StripeError:
    return invalid(f"No such {NOUNS[kind]}: '{object_id}'", param, "resource_missing", status)


def unrecognized_url(method: str, path: str) -> StripeError:
    return invalid(
        f"Unrecognized request URL ({method}: {path}). The local Stripe does not serve this address;"
        " if Stripe does, it is one of the many parts that are missing here.",
        status=404,
    )


def unauthorized(message: str) -> StripeError:
    return invalid(message, status=401)
