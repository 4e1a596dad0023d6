from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox.stripe.config import Config
from sandbox.stripe.deliveries import Post
from sandbox.stripe.store import Store


@dataclass(frozen=True)
class Account:
    """The one account that lives here: its settings, its state, and the post that carries its events."""

    config: Config
    store: Store
    post: Post = field(repr=False)

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction; what it recorded is delivered as soon as it has committed."""
        with self.store.transaction():
            yield
        self.post.wake()
