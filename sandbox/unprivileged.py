"""PostgreSQL refuses to run as root. In a container we often are root: somebody else has to run it then."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from sandbox.problem import Problem

# Where that somebody gets to when the checkout lies in a closed place such as /root.
OPEN_PLACE = Path("/var/lib/shopbell")


def server_user() -> str | None:
    """Who runs the server: None for ourselves."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise Problem(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody`:"
        " add one, start this as another user, or set DATABASE_URL."
    )


def reaches(user: str | None, path: Path) -> bool:
    """Whether `user` can walk to `path` and use it: tried, because modes alone do not tell."""
    if user is None:
        return True
    entry = pwd.getpwnam(user)
    check = 'cd "$1" 2>/dev/null || { test -x "$1" && test -r "$1"; }'
    attempt = subprocess.run(
        ["/bin/sh", "-c", check, "sh", path.absolute()],
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return attempt.returncode == 0


def own(directory: Path, user: str | None) -> Path:
    """A directory that `user` alone may enter: `directory`, or one in the open that a link there leads to."""
    if not directory.exists():
        directory.unlink(missing_ok=True)  # a link whose target is gone
        directory.mkdir(parents=True)
        _give(directory, user)
        if not reaches(user, directory):
            directory.rmdir()
            directory.symlink_to(_in_the_open("data-"))
    _give(directory, user)
    return directory.resolve()


def _give(directory: Path, user: str | None) -> None:
    directory.chmod(0o700)
    if user:
        entry = pwd.getpwnam(user)
        os.chown(directory, entry.pw_uid, entry.pw_gid)


def _in_the_open(prefix: str) -> Path:
    OPEN_PLACE.mkdir(parents=True, exist_ok=True)
    OPEN_PLACE.chmod(0o755)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=OPEN_PLACE))


def copied_into_the_open(name: str, *folders: Path) -> Path:
    """The folder `OPEN_PLACE`/`name` with a copy of each of `folders`, made once."""
    place = OPEN_PLACE / name
    if not place.exists():
        draft = _in_the_open(f"{name}-")
        for folder in folders:
            shutil.copytree(folder, draft / folder.name, ignore=shutil.ignore_patterns("include"))
        for path in (draft, *draft.rglob("*")):
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
        try:
            draft.rename(place)
        except OSError:  # another checkout was faster
            shutil.rmtree(draft)
    return place
