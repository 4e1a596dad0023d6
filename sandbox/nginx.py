"""deploy/nginx as it will run, before web processes of this machine: for tests, in the foreground.

    with_nginx = Nginx(directory, logs=logs, port=8080, processes=[8001, 8002])
    with_nginx.start().wait_until_ready()

Only site.conf, which in life is edited too, is written anew.
"""

import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from sandbox import apt
from sandbox.environment import ROOT
from sandbox.problem import Problem
from sandbox.processes import Process
from sandbox.unprivileged import own, server_user

CONFIGURATION = ROOT / "deploy" / "nginx"
NOT_ON_PATH = (Path("/usr/sbin/nginx"), Path("/usr/local/sbin/nginx"), Path("/opt/homebrew/bin/nginx"))
WHAT_TO_INSTALL = (
    "There is no nginx for the tests of deploy/nginx: install the package `nginx-light`, or set NGINX to one."
)


class Nginx:
    """Listens at `port` of 127.0.0.1 and knows the shop by that name alone. `directory` is its own.

    `certificate` and `key` make it speak TLS. `uncapped` are the networks that no cap applies to: tests come
    from one address, whatever they play. `site` is a site.conf to use instead of one made of all this.
    """

    name = "nginx"

    def __init__(
        self,
        directory: Path,
        *,
        logs: Path,
        port: int,
        processes: Sequence[int],
        certificate: Path | None = None,
        key: Path | None = None,
        uncapped: Sequence[str] = ("127.0.0.1",),
        site: str = "",
    ) -> None:
        program = find()
        if program is None:
            raise Problem(WHAT_TO_INSTALL)
        user = server_user()
        self.link = directory
        self.directory = own(directory, user)
        self.port = port
        self.processes = processes
        self.tls = (certificate, key) if certificate and key else None
        self.uncapped = uncapped
        self.site = site
        self.access_log = self.directory / "access.log"
        here = self.directory
        options: list[str | Path] = ["-p", here, "-c", here / "nginx.conf", "-e", "stderr"]
        options += ["-g", f"daemon off; pid {here}/nginx.pid;"]
        self.process = Process("nginx", [program, *options], logs=logs, user=user)

    def start(self) -> "Nginx":
        """Start it. Does not wait."""
        for file in CONFIGURATION.glob("*.conf"):
            self._write(file.name, file.read_text())
        self._write("site.conf", self._places() + (self.site or self._site()))
        if self.tls:
            for name, file in zip(("certificate.pem", "key.pem"), self.tls, strict=True):
                self._write(name, file.read_text())
        self.process.start()
        return self

    def wait_until_ready(self) -> "Nginx":
        """Until it takes connections, whether or not there is a shop behind it."""
        self.process.wait_until(self._listens)
        return self

    def stop(self) -> None:
        """What it kept is thrown away."""
        self.process.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.link.is_symlink():
            self.link.unlink()

    def _write(self, name: str, text: str) -> None:
        file = self.directory / name
        file.write_text(text)
        file.chmod(0o644)  # in a directory that is closed to all but the user that it runs as

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _places(self) -> str:
        """For what the user that we run as must be able to write."""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        return "".join(f"{kind}_temp_path {kind};\n" for kind in kinds)

    def _site(self) -> str:
        listen = f"listen 127.0.0.1:{self.port}{' ssl' if self.tls else ''}"
        lines = [
            "geo $uncapped { default 0;",
            *(f"{network} 1;" for network in self.uncapped),
            "}",
            "access_log access.log line;",
            "proxy_cache_path static keys_zone=static:1m use_temp_path=off;",
            *(self._upstream(name) for name in ("shop", "open_pages")),
            f"server {{ {listen} default_server; {self._certificate()} return 400; }}",
            f"server {{ {listen}; {self._certificate()} server_name 127.0.0.1 localhost;",
            f"set $public_host $host:{self.port}; include shop.conf; }}",
        ]
        return "\n".join(lines) + "\n"

    def _upstream(self, name: str) -> str:
        servers = "".join(f"server 127.0.0.1:{port} max_fails=0; " for port in self.processes)
        return f"upstream {name} {{ zone {name} 64k; least_conn; {servers}}}"

    def _certificate(self) -> str:
        return (
            "ssl_certificate certificate.pem; ssl_certificate_key key.pem; include tls.conf;"
            if self.tls
            else ""
        )


def find() -> Path | None:
    """An installed nginx; the environment's NGINX comes first."""
    if wish := os.environ.get("NGINX"):
        return Path(wish)
    on_path = shutil.which("nginx")
    return (
        Path(on_path) if on_path else next((path for path in NOT_ON_PATH if os.access(path, os.X_OK)), None)
    )


def main(arguments: list[str]) -> int:
    """Find one or, as root in a container of Debian's, install one."""
    # On a whole machine the package would start a web server at port 80, which nobody has asked for.
    whole_machine = Path("/run/systemd/system").exists()
    return apt.find_or_install(find, None if whole_machine else "nginx-light", WHAT_TO_INSTALL)
