"""Who may ask: whoever sends the token; without one, whoever asks from this machine."""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

from runcard.errors import BundleError
from runcard.serving.http import RefusedError

TOKEN = "RUNCARD_TOKEN"
LEAST_LENGTH = 16
CHALLENGE = ((b"www-authenticate", b'Bearer realm="runcard"'), (b"www-authenticate", b'Basic realm="runcard"'))


class Access:
    """Lets requests through, or not.

    Args:
        token: What they must bring; None: nothing, and then only requests from this machine are answered.
        open_to_all: Whether requests from other machines are answered without a token.
    """

    def __init__(self, token: str | None, *, open_to_all: bool = False) -> None:
        self._token = None if token is None else token.encode()
        self._open_to_all = open_to_all

    def check(self, headers: Mapping[bytes, bytes], client: tuple[str, int] | None) -> None:
        """Look at a request's headers and at where it comes from.

        Raises:
            RefusedError: If it may not ask.
        """
        if self._token is not None:
            if not hmac.compare_digest(_brought(headers.get(b"authorization", b"")), self._token):
                raise RefusedError(401, "send the service's token: Authorization: Bearer TOKEN", headers=CHALLENGE)
        elif not self._open_to_all and not (_is_local(client) and _is_plain(headers.get(b"host", b""))):
            message = f"this service has no token, and so answers its own machine only; start it with {TOKEN} set"
            raise RefusedError(401, message, headers=CHALLENGE)


def read_token(place: str | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The token that a file holds, or else the environment; None if neither does.

    Args:
        place: The setting ``token_file``.
        environment: May hold ``RUNCARD_TOKEN``.

    Raises:
        BundleError: If the file cannot be read, or the token is too short to keep anybody out, or cannot be sent.
    """
    token, where = environment.get(TOKEN), TOKEN
    if place is not None:
        where = f"serve.token_file {place}"
        try:
            token = Path(place).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise BundleError(f"{where}: the token cannot be read: {reason}") from error
    if token is None:
        return None
    if len(token) < LEAST_LENGTH:
        raise BundleError(f"{where}: the token has {len(token)} characters, and {LEAST_LENGTH} are the least")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise BundleError(f"{where}: the token may hold letters, digits and signs of ASCII only, and no spaces")
    return token


def _brought(header: bytes) -> bytes:
    """The token of a header: as it is, or as the password that a browser asks for."""
    scheme, _, value = header.strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


def _is_local(client: tuple[str, int] | None) -> bool:
    """Whether a request comes from this machine; one through a Unix socket has no address."""
    return client is None or not client[0] or is_loopback(client[0])


@functools.lru_cache(1024)
def _is_plain(host: bytes) -> bool:
    """Whether a request names its host by an address, or as localhost.

    Any other name may be one that a web page somewhere has had point here, to have its visitor's browser ask.
    """
    name = host.decode("latin-1").rsplit(":", 1)[0] if not host.endswith(b"]") else host.decode("latin-1")
    return name in ("", "localhost") or _address(name.strip("[]")) is not None


@functools.lru_cache(1024)
def is_loopback(host: str) -> bool:
    """Whether an address leads to this machine only."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
