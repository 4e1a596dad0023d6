"""What can go wrong, each as a context: hurt on the way in, mended on the way out."""

# The order is that of TROUBLES, of which a seed plays a part.
from tests.faults.troubles import webs, valkey, database, stripe, clients, clocks, worker  # noqa: F401, I001
from tests.faults.troubles.trouble import TROUBLES, Trouble

__all__ = ["TROUBLES", "Trouble"]
