"""Start the service: everything that can go wrong is said before BentoML is started."""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from runcard.advice import advise
from runcard.errors import CardError
from runcard.serving.access import TOKEN, is_loopback, read_token
from runcard.serving.admission import Admitted, admit
from runcard.serving.settings import choose

# By name: importing the service would choose a bundle.
SERVICE = "runcard.serving.service:Service"
# What the command may have taken for itself.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@dataclass(frozen=True)
class Start:
    """A service that can be started.

    Attributes:
        admitted: The bundle, and how it is served.
        host: The address to listen on.
        port: The port to listen on.
        made_token: The token that requests have to bring, if nobody had chosen one and one is needed.
    """

    admitted: Admitted
    host: str
    port: int
    made_token: str | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def prepare(words: Sequence[str], host: str, port: int) -> Start:
    """Look whether a bundle can be served at an address.

    Args:
        words: Which bundle, the newest if none is named; and changes such as ``serve.workers=2``.
        host: The address to listen on.
        port: The port to listen on.

    Raises:
        BundleError: If there is no such bundle, or it is damaged.
        CardError: If a change is wrong, or the address cannot be listened on.
    """
    named = [word for word in words if "=" not in word]
    if len(named) > 1:
        raise CardError(f"{named[1]}: one bundle is served at a time, and {named[0]} is named before")
    chosen = choose(word for word in words if "=" in word)
    _check_address(host, port)
    admitted = admit(named[0] if named else None, chosen)
    start = Start(admitted, host, port)
    if read_token(admitted.serve.token_file) is None and not admitted.serve.open_to_all and not is_loopback(host):
        return replace(start, made_token=secrets.token_urlsafe(32))
    return start


def become_server(start: Start) -> NoReturn:
    """Be BentoML's command from here on, so that signals and the exit code are its own.

    In this process, which has imported most of it: another would take half a second longer to be ready.
    """
    from bentoml_cli.cli import cli

    os.environ.update(start.admitted.hand_on())
    if start.made_token is not None:
        os.environ[TOKEN] = start.made_token
    # Its workers would import from the working directory, where a jinja2.py may lie; a bundle holds no code.
    os.environ["PYTHONSAFEPATH"] = "1"
    os.dup2(2, 1)  # BentoML writes its log to stdout, which is for the one JSON object
    for signum in SIGNALS:
        signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)
    words = [
        "serve",
        SERVICE,
        "--working-dir",
        str(start.admitted.path),
        "--host",
        start.host,
        "--port",
        str(start.port),
    ]
    code: Any = 1
    try:
        code = cli.main(words, prog_name="bentoml", standalone_mode=True)
    except SystemExit as end:
        code = end.code
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else bool(code))


def _check_address(host: str, port: int) -> None:
    if not 0 < port < 2**16:
        raise CardError(f"--port {port}: a port is a number from 1 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(found[0][0]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(found[0][4])
    except OSError as error:
        reason, ways = error.strerror or error, (advise("--port", "PORT"), advise("--host", "HOST"))
        text = f"cannot listen on {host}:{port}: {reason}. Choose another with {' or '.join(ways)}."
        raise CardError(text) from error
