"""A real Chromium through its own driver, by the WebDriver protocol: ``apt install chromium chromium-driver``."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.servers import HANG_S, free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's own word
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--window-size=900,1100",
]


class Browser:
    """One window."""

    def __init__(self, driver: str) -> None:
        self._url = driver
        options = {"goog:chromeOptions": {"args": ARGUMENTS}, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": options}})["sessionId"]
        self._url = f"{driver}/session/{session}"

    def open(self, url: str) -> None:
        """Load a page."""
        self._call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, selector: str) -> None:
        """Press a button as a pointer does."""
        self._call("POST", f"/element/{self._find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Replace an input's text by way of the keyboard."""
        found = self._find(selector)
        self._call("POST", f"/element/{found}/clear", {})
        self._call("POST", f"/element/{found}/value", {"text": text})

    def draw(self, selector: str, points: list[tuple[int, int]]) -> None:
        """Move the pressed pointer over an element; points are pixels from its middle."""
        origin = {ELEMENT: self._find(selector)}
        moves = [{"type": "pointerMove", "duration": 30, "origin": origin, "x": x, "y": y} for x, y in points]
        steps = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        pointer = {"type": "pointer", "id": "pointer", "parameters": {"pointerType": "mouse"}, "actions": steps}
        self._call("POST", "/actions", {"actions": [pointer]})

    def wait_for(self, script: str) -> Any:
        """What a script returns, as soon as that is true."""
        started = time.monotonic()
        while not (found := self.run(script)):
            assert time.monotonic() - started < HANG_S, script
            time.sleep(0.02)
        return found

    def screenshot(self, path: Path) -> None:
        """A picture of the window."""
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def complaints(self) -> list[str]:
        """What the browser's console says of the page's own faults, since it was last asked."""
        found = self._call("POST", "/se/log", {"type": "browser"})
        return [
            entry["message"]
            for entry in found
            if entry["level"] == "SEVERE" and "status of 400" not in entry["message"]
        ]

    def close(self) -> None:
        """Close the window."""
        self._call("DELETE", "")

    def _find(self, selector: str) -> str:
        return str(self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT])

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=HANG_S) as response:
            return json.load(response)["value"]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that is closed at the end."""
    program = shutil.which("chromedriver")
    assert program, "this test drives a real browser: apt install chromium chromium-driver"
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([program, f"--port={port}"], stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            started = time.monotonic()
            while not _answers(url):
                assert time.monotonic() - started < HANG_S
                time.sleep(0.02)
            browser = Browser(url)
            try:
                yield browser
            finally:
                browser.close()
        finally:
            process.terminate()
            process.wait(HANG_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/status", timeout=HANG_S) as response:
            return bool(json.load(response)["value"]["ready"])
    except OSError:
        return False
