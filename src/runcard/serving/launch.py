"""Start the service: everything that can go wrong is said before BentoML is started."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

from runcard.errors import CardError
from runcard.packaging.bundle import open_bundle
from runcard.packaging.store import BUNDLE, find

# By name: importing the service would choose a bundle.
SERVICE = "runcard.serving.service:Service"


def prepare(tag: str | None, host: str, port: int) -> tuple[str, Path]:
    """Look whether a bundle can be served at an address.

    Args:
        tag: Which; None: the newest.
        host: The address to listen on.
        port: The port to listen on.

    Returns:
        The bundle's full tag and its folder.

    Raises:
        BundleError: If there is no such bundle, or it is damaged.
        CardError: If the address cannot be listened on.
    """
    tag, path = find(tag)
    open_bundle(path)
    if not 0 < port < 2**16:
        raise CardError(f"--port {port}: a port is a number from 1 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(found[0][0]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(found[0][4])
    except OSError as error:
        reason = error.strerror or error
        raise CardError(f"cannot listen on {host}:{port}: {reason}. Choose another with --port or --host.") from error
    return tag, path


def become_server(tag: str, path: Path, host: str, port: int) -> NoReturn:
    """Replace this process by BentoML, so that signals and the exit code are its own."""
    os.environ[BUNDLE] = tag
    # Python and BentoML would import from the working directory, where a jinja2.py may lie; a bundle holds no code.
    os.environ["PYTHONSAFEPATH"] = "1"
    os.dup2(2, 1)  # BentoML writes its log to stdout, which is for the one JSON object
    words = [sys.executable, "-m", "bentoml", "serve", SERVICE, "--working-dir", str(path)]
    os.execv(sys.executable, [*words, "--host", host, "--port", str(port)])
