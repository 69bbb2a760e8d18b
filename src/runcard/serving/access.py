"""Who may ask: whoever sends the token; without one, whoever asks from this machine."""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import ipaddress
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

from runcard.errors import BundleError
from runcard.packaging.manifest import read_small
from runcard.serving.http import RefusedError

log = logging.getLogger("runcard.serving")

TOKEN = "RUNCARD_TOKEN"
# Seconds between two looks whether the token's file has changed.
LOOK_EVERY_S = 1.0
LEAST_LENGTH = 16
CHALLENGE = ((b"www-authenticate", b'Bearer realm="runcard"'), (b"www-authenticate", b'Basic realm="runcard"'))


class Access:
    """Lets requests through, or not.

    Args:
        token: What they must bring; where there is none, only requests from this machine are answered.
        open_to_all: Whether requests from other machines are answered without a token.
    """

    def __init__(self, token: Token, *, open_to_all: bool = False) -> None:
        self._token = token
        self._open_to_all = open_to_all

    def check(self, headers: Mapping[bytes, bytes], client: tuple[str, int] | None) -> None:
        """Look at a request's headers and at where it comes from.

        Raises:
            RefusedError: If it may not ask.
        """
        token = self._token.current()
        if token is not None:
            if not hmac.compare_digest(_brought(headers.get(b"authorization", b"")), token):
                raise RefusedError(401, "send the service's token: Authorization: Bearer TOKEN", headers=CHALLENGE)
        elif not self._open_to_all and not (_is_local(client) and _is_plain(headers.get(b"host", b""))):
            message = f"this service has no token, and so answers its own machine only; start it with {TOKEN} set"
            raise RefusedError(401, message, headers=CHALLENGE)


class Token:
    """The token that requests have to bring; a changed file holds from the next second on.

    Args:
        place: The setting ``token_file``.
        environment: May hold ``RUNCARD_TOKEN``.

    Raises:
        BundleError: As ``read_token``.
    """

    def __init__(self, place: str | None, environment: Mapping[str, str] = os.environ) -> None:
        self._place = place
        self._seen = _state(place)
        self._looked = time.monotonic()
        token = read_token(place, environment)
        self._token = None if token is None else token.encode()

    @property
    def is_asked_for(self) -> bool:
        """Whether requests have to bring one."""
        return self._token is not None

    def current(self) -> bytes | None:
        """The token; None: there is none. One that was there stays while its file cannot be read."""
        if self._place is not None and time.monotonic() - self._looked > LOOK_EVERY_S:
            self._looked = time.monotonic()
            seen = _state(self._place)
            if seen != self._seen:
                self._seen = seen
                self._read_again()
        return self._token

    def _read_again(self) -> None:
        try:
            token = read_token(self._place, {})
        except BundleError as error:
            log.warning("%s; the one of before holds", error)
        else:
            self._token = None if token is None else token.encode()
            log.warning("%s has changed, and holds from now on", self._place)


def _state(place: str | None) -> tuple[int, ...]:
    """What differs once a file was written or replaced."""
    if place is None:
        return ()
    try:
        found = os.stat(Path(place).expanduser())
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


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
            token = read_small(Path(place).expanduser()).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is no text" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)
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
