"""HTTPS: what the shop is told of it, what is refused, and the site as it is delivered."""

import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from sandbox.nginx import CONFIGURATION
from sandbox.ports import free_port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """For 127.0.0.1 and shop.example, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("There is no openssl to make a certificate with.")
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    make += ["-days", "2", "-subj", "/CN=shop.example", "-keyout", str(key), "-out", str(certificate)]
    make += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:shop.example"]
    subprocess.run(make, check=True, capture_output=True)
    return certificate, key


def test_over_tls_the_shop_is_told_so(front, shop, certificate):
    nginx = front(processes=[shop.port], certificate=certificate[0], key=certificate[1])
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with httpx.Client(verify=trusting, base_url=f"https://127.0.0.1:{nginx.port}", trust_env=False) as client:
        headers = {name.lower(): value for name, value in client.get("/").json()}
        refused = client.post("/stripe-webhook/", content=b"x" * 1_000_001)

    assert headers["x-forwarded-proto"] == "https"
    assert refused.headers["Strict-Transport-Security"].startswith("max-age=31536000")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_protocols_and_weak_ciphers_are_refused(front, shop, certificate):
    nginx = front(processes=[shop.port], certificate=certificate[0], key=certificate[1])
    old = ssl.create_default_context(cafile=str(certificate[0]))
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    weak = ssl.create_default_context(cafile=str(certificate[0]))
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES256-SHA:AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    for context in (old, weak):
        line = socket.create_connection(("127.0.0.1", nginx.port), timeout=20)
        with line, pytest.raises(ssl.SSLError):
            context.wrap_socket(line, server_hostname="127.0.0.1")


def test_the_site_as_it_is_delivered_is_sound(front, shop, certificate):
    """Ports and paths apart: the names, the redirect and the refusals are those of deploy/nginx/site.conf."""
    plain, secure = free_port(), free_port()
    site = (CONFIGURATION / "site.conf").read_text()
    for there, here in {
        r"listen \[::\].*": "",
        r"listen 80": f"listen 127.0.0.1:{plain}",
        r"listen 443": f"listen 127.0.0.1:{secure}",
        r"/etc/letsencrypt/live/shop.example/fullchain.pem": "certificate.pem",
        r"/etc/letsencrypt/live/shop.example/privkey.pem": "key.pem",
        r"127.0.0.1:8001": f"127.0.0.1:{shop.port}",
        r"/var/lib/nginx/static": "static",
        r"/var/www/html": "html",
        r"syslog:[^ ]*": "access.log",
    }.items():
        site, count = re.subn(there, here, site)
        assert count, there
    nginx = front(processes=[], certificate=certificate[0], key=certificate[1], site=site, port=plain)

    trusting = ssl.create_default_context(cafile=str(certificate[0]))

    def ask(address: str, host: str) -> httpx.Response:
        with httpx.Client(verify=trusting, trust_env=False) as client:
            told = {"sni_hostname": host}
            return client.get(address, headers={"Host": host}, extensions=told)

    redirect = ask(f"http://127.0.0.1:{plain}/orders/?page=2", "shop.example")
    assert (redirect.status_code, redirect.headers["Location"]) == (
        301,
        "https://shop.example/orders/?page=2",
    )
    assert ask(f"http://127.0.0.1:{plain}/", "evil.example").status_code == 400
    challenges = nginx.directory / "html" / ".well-known" / "acme-challenge"
    challenges.mkdir(parents=True)
    for folder in (challenges, *challenges.parents[:2]):
        folder.chmod(0o755)
    (challenges / "token").write_text("its answer")
    challenge = ask(f"http://127.0.0.1:{plain}/.well-known/acme-challenge/token", "shop.example")
    assert (challenge.status_code, challenge.text) == (200, "its answer")
    for _ in range(3):  # the second process is not there
        seen = {
            name.lower(): value for name, value in ask(f"https://127.0.0.1:{secure}/", "shop.example").json()
        }
        assert (seen["host"], seen["x-forwarded-proto"]) == ("shop.example", "https")
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # it is not even shown a certificate
    with pytest.raises(httpx.ConnectError):
        ask(f"https://127.0.0.1:{secure}/", "evil.example")
