"""Where Unix sockets stand: nobody else's TCP reaches them, and no two checkouts fight for a port."""

import os
import tempfile
from pathlib import Path

LONGEST = 103  # bytes in a socket's path: 107 on Linux, 103 on macOS
LONGEST_NAME = len("/.s.PGSQL.5432")


def socket_directory(directory: Path) -> Path:
    """`directory`, or a short one that only its owner can enter when its path is too long for a socket."""
    if len(os.fsencode(directory)) + LONGEST_NAME <= LONGEST:
        return directory
    return Path(tempfile.mkdtemp(prefix="shopbell-", dir="/tmp"))  # TMPDIR may be long too
