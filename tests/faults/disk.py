"""A small disk of its own, for who is to find it full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/proc/meminfo")


@contextmanager
def own_disk(place: Path, size: int) -> Iterator[bool]:
    """The folder `place`, on a disk of `size` bytes in memory until the end of the block. False if it is on
    the disk that was there already: where we may not mount one, or memory is scarce.
    """
    place.mkdir(mode=0o711)
    is_mounted = _available() >= 2 * size and _mount(place, size)
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", place], check=False)


def _available() -> int:
    """Bytes of memory; 0 where the kernel does not say."""
    lines = MEMORY.read_text().splitlines() if MEMORY.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)


def _mount(place: Path, size: int) -> bool:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0711", "tmpfs", str(place)]
    try:
        return subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
