"""`make demo`: life for the dashboard of the shop that `make run` runs."""

import os
from pathlib import Path

from sandbox.accounts import password_variable
from sandbox.environment import ROOT, given, read_dotenv
from sandbox.kept_secrets import read
from sandbox.ports import DEFAULTS
from sandbox.problem import Problem
from sandbox.processes import answers
from sandbox.shoppers import crowd

GENTLY = ["--per-minute", "12", "--thinking", "2"]
WATCHER = "manager"


def main(arguments: list[str]) -> int:
    """The shoppers' options hold here, too. Raises Problem where no shop answers."""
    read_dotenv()
    here = given("PUBLIC_URL") or f"http://127.0.0.1:{given('PORT') or DEFAULTS['PORT']}"
    options = crowd.options_in(["--shop", here, *GENTLY, *arguments])
    shop = options.shop.rstrip("/")
    if not answers(f"{shop}/readyz")():
        raise Problem(
            f"No shop answers at {shop}/. Start it in another terminal with `make run`, or name the address"
            ' of yours: make demo ARGS="--shop http://127.0.0.1:8001"'
        )
    crowd.say(f"{options.per_minute:g} shoppers a minute, their payments on {shop}/dashboard/")
    crowd.say(f"Log in there as {WATCHER} / {_password()}")
    return crowd.buy(options)


def _password() -> str:
    variable = password_variable(WATCHER)
    if given(variable):
        return f"(as set in {variable})"
    kept = read(Path(os.environ.get("DATA_DIR") or ROOT / ".data") / "secrets.env")
    return kept.get(variable, "(make run tells the password)")
