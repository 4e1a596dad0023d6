"""What the shop's processes find in their environment: what the person set, and what we add."""

import os
from pathlib import Path

import environ

from sandbox.accounts import COLLEAGUES, password_variable
from sandbox.kept_secrets import kept_secrets, read
from sandbox.mail import mailbox_url
from sandbox.problem import Problem

ROOT = Path(__file__).resolve().parent.parent

ONE_NETWORK = dict.fromkeys(("CHECKOUT_NETWORK_RATE", "LINKS_RATE", "SIGNUP_RATE"), "")
"""All who come to a sandbox come from one address: no limits for a network, unless somebody sets them."""


def read_dotenv() -> None:
    """Take what `.env` says into our environment, as the shop does. The real environment wins."""
    if (ROOT / ".env").exists():
        environ.Env.read_env(ROOT / ".env")


def given(name: str) -> str:
    """Set to nothing is not set: that is how a line of .env is switched off."""
    return os.environ.get(name, "").strip()


def password_of(username: str) -> str:
    """Of one of the demo's staff, as it was set or as the running shop keeps it; empty if there is none."""
    variable = password_variable(username)
    kept = read(Path(os.environ.get("DATA_DIR") or ROOT / ".data") / "secrets.env")
    return given(variable) or kept.get(variable, "")


def shop_environment(data_dir: Path, port: int, stripe_port: int) -> dict[str, str]:
    """All but the addresses of the servers. Raises Problem when Stripe is set up by half."""
    kept = kept_secrets(data_dir / "secrets.env")
    env = ONE_NETWORK | os.environ
    env["DATA_DIR"] = str(data_dir)
    env["SECRET_KEY"] = given("SECRET_KEY") or kept["SECRET_KEY"]
    env["PUBLIC_URL"] = given("PUBLIC_URL") or f"http://127.0.0.1:{port}"
    env["EMAIL_URL"] = given("EMAIL_URL") or mailbox_url(data_dir / "mail")
    env["STAFF_USERNAME"] = given("STAFF_USERNAME") or "staff"
    for name in ("STAFF_PASSWORD", *map(password_variable, COLLEAGUES)):
        env[name] = given(name) or kept[name]
    return env | (
        _real_stripe(port) if given("STRIPE_SECRET_KEY") else _local_stripe(kept, port, stripe_port)
    )


def _real_stripe(port: int) -> dict[str, str]:
    if not given("STRIPE_WEBHOOK_SECRET"):
        raise Problem(
            "STRIPE_SECRET_KEY is set but STRIPE_WEBHOOK_SECRET is not: run"
            f" `stripe listen --forward-to localhost:{port}/stripe-webhook/ --print-secret`"
            " and set it to what that prints."
        )
    return {}


def _local_stripe(kept: dict[str, str], port: int, stripe_port: int) -> dict[str, str]:
    webhook_secret = given("STRIPE_WEBHOOK_SECRET").replace(" ", "") or kept["STRIPE_WEBHOOK_SECRET"]
    # Whatever proxy leads out of here, the local Stripe is not behind it.
    no_proxy = ",".join(filter(None, [given("no_proxy") or given("NO_PROXY"), "127.0.0.1", "localhost"]))
    return {
        "STRIPE_SECRET_KEY": kept["STRIPE_SECRET_KEY"],
        "STRIPE_WEBHOOK_SECRET": webhook_secret,
        "STRIPE_API_BASE": f"http://127.0.0.1:{stripe_port}",
        "SANDBOX_STRIPE_WEBHOOKS": f"http://127.0.0.1:{port}/stripe-webhook/|{webhook_secret}",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }
