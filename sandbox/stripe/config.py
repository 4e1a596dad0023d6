from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_PORT = 12111
DEFAULT_RETRY_SECONDS = "2 5 15 60 300 900 3600"


class ConfigError(Exception):
    """The environment asks for the impossible; the text is one sentence for whoever started us."""


@dataclass(frozen=True)
class Endpoint:
    """A webhook endpoint. Every secret signs each delivery, as while a rolled secret overlaps at Stripe."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Config:
    """What the environment says. Times are in seconds.

    `secret_key` None means: any test key is welcome. The last of `retry_seconds` repeats.
    """

    port: int = DEFAULT_PORT
    data_dir: Path = Path(".data")
    secret_key: str | None = field(default=None, repr=False)
    endpoints: tuple[Endpoint, ...] = ()
    business_name: str = "Shopbell"
    min_expiry_seconds: int = 30 * 60
    debit_seconds: int = 8
    retry_seconds: tuple[float, ...] = ()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state_dir(self) -> Path:
        return self.data_dir / "stripe"


def from_environ(environ: Mapping[str, str]) -> Config:
    """Read the settings that .env.example explains; raises ConfigError."""
    return Config(
        port=int(_number(environ, "SANDBOX_STRIPE_PORT", str(DEFAULT_PORT), 1, 65535)),
        data_dir=Path(environ.get("DATA_DIR") or ".data"),
        secret_key=_secret_key(environ.get("STRIPE_SECRET_KEY", "").strip()),
        endpoints=_endpoints(environ.get("SANDBOX_STRIPE_WEBHOOKS", "")),
        business_name=environ.get("SANDBOX_STRIPE_BUSINESS_NAME") or "Shopbell",
        min_expiry_seconds=int(_number(environ, "SANDBOX_STRIPE_MIN_EXPIRY_SECONDS", "1800", 0, 86400)),
        debit_seconds=int(_number(environ, "SANDBOX_STRIPE_DEBIT_SECONDS", "8", 0, 86400)),
        retry_seconds=_retry_seconds(environ.get("SANDBOX_STRIPE_RETRY_SECONDS") or DEFAULT_RETRY_SECONDS),
    )


def _number(environ: Mapping[str, str], name: str, default: str, low: int, high: int) -> float:
    text = environ.get(name) or default
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
    return int(text)


def _secret_key(key: str) -> str | None:
    if key and not key.startswith(("sk_test_", "rk_test_")):
        raise ConfigError("STRIPE_SECRET_KEY must begin with sk_test_ or rk_test_: no live key belongs here.")
    return key or None


def _endpoints(text: str) -> tuple[Endpoint, ...]:
    endpoints = tuple(_endpoint(pair) for pair in text.split())
    if len({endpoint.url for endpoint in endpoints}) < len(endpoints):
        raise ConfigError(
            "SANDBOX_STRIPE_WEBHOOKS names one address twice; write `url|new,old` for two secrets."
        )
    return endpoints


def _endpoint(pair: str) -> Endpoint:
    url, _, listed = pair.rpartition("|")
    secrets = tuple(secret for secret in listed.split(",") if secret)
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname or not secrets:
        # The pair itself stays out of the message: it may hold a secret.
        raise ConfigError("SANDBOX_STRIPE_WEBHOOKS must be `url|secret` pairs with a blank between them.")
    return Endpoint(url, secrets)


def _retry_seconds(text: str) -> tuple[float, ...]:
    try:
        gaps = tuple(float(gap) for gap in text.split())
    except ValueError:
        gaps = ()
    if not gaps or not all(0 < gap <= 86400 for gap in gaps):
        raise ConfigError("SANDBOX_STRIPE_RETRY_SECONDS must be numbers of seconds with blanks between them.")
    return gaps
