"""Heads of requests that two readers could take for different ones: refused, by RFC 9110 and RFC 9112.

httptools reads some that the RFC forbids, or leaves to whoever uses it; a proxy before the service may read them
otherwise, and let somebody's request through as a part of another's.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from runcard.serving.http import RefusedError

Fields = Sequence[tuple[bytes, bytes]]

VERSIONS = ("1.0", "1.1")
# Bytes of a request line that is kept as a right one: most clients send the same again and again.
LONGEST_KEPT = 512
# What may be there once. Others are lists, or nothing here reads them.
ONCE = frozenset(
    {
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"content-type",
        b"content-encoding",
        b"authorization",
        b"expect",
        b"upgrade",
    }
)
HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+;=%-]*(:\d*)?|\[[0-9A-Fa-f:.]+\](:\d*)?")
# A path with its query; before it, as clients of proxies send it, the host.
TARGET = re.compile(rb"(?:https?://(?P<authority>[^/?#\s]+))?(?P<path>[/?][\x21\x22\x24-\x7e]*)?", re.IGNORECASE)


def check_head(line: bytes, method: bytes, target: bytes, version: str, fields: Fields, *, upgrade: bool) -> int | None:
    """Look through a request's head, in whose fields httptools lets no control characters.

    Args:
        line: The request line as it came, with its end.
        method: Such as ``POST``.
        target: What the request line asks for.
        version: Of HTTP, such as ``1.1``.
        fields: Names in lower case, and values.
        upgrade: Whether it asks for another protocol.

    Returns:
        The bytes of its body; None: it comes in chunks.

    Raises:
        RefusedError: If two readers could take it, or what follows, for different things.
    """
    known = _once(fields)
    check = _check_line if len(line) <= LONGEST_KEPT else _check_line.__wrapped__
    check(line, method, target, version, known.get(b"host"))
    if known.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise RefusedError(417, "nothing but 100-continue can be expected")
    return _length(version, known, upgrade=upgrade)


@functools.lru_cache(128)
def _check_line(line: bytes, method: bytes, target: bytes, version: str, host: bytes | None) -> None:
    if line != b"%s %s HTTP/%s\r\n" % (method, target, version.encode()):
        raise RefusedError(400, "the request line is not of a method, a path and a version, with one space between")
    if version not in VERSIONS:
        raise RefusedError(400, "version 1.1 or 1.0 of HTTP is spoken here")
    if host is None and version == "1.1":
        raise RefusedError(400, "the field Host is missing")
    if host is not None and not HOST.fullmatch(host):
        raise RefusedError(400, "the field Host holds no host")
    _check_target(method, target, host)


def _once(fields: Fields) -> dict[bytes, bytes]:
    known: dict[bytes, bytes] = {}
    for name, value in fields:
        if name in ONCE:
            if name in known:
                raise RefusedError(400, f"the field {name.decode().title()} is there twice")
            known[name] = value
    return known


def _check_target(method: bytes, target: bytes, host: bytes | None) -> None:
    if target == b"*" and method == b"OPTIONS":
        return
    found = TARGET.fullmatch(target)
    if method == b"CONNECT" or not target or found is None:
        raise RefusedError(400, "the request line asks for no path")
    authority = found["authority"]
    if authority is None and not target.startswith(b"/"):
        raise RefusedError(400, "the request line asks for no path")
    if authority is not None and authority.lower() != (host or b"").lower():
        raise RefusedError(400, "the request line and the field Host name different hosts")


def _length(version: str, known: dict[bytes, bytes], *, upgrade: bool) -> int | None:
    coding, length = known.get(b"transfer-encoding"), known.get(b"content-length")
    if coding is not None and (coding.lower() != b"chunked" or version != "1.1" or length is not None):
        raise RefusedError(
            400, "of Transfer-Encoding, chunked alone is taken, from version 1.1 on and without Content-Length"
        )
    if length is not None and not length.isdigit():
        raise RefusedError(400, "Content-Length is no number")
    if upgrade and (coding is not None or length not in (None, b"0")):
        raise RefusedError(400, "a request for another protocol has no body here")
    return None if coding is not None else int(length or 0)
