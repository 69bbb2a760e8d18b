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
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Home": "\ue011", "End": "\ue010", "Space": " "}
KEYS |= {"Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015"}
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
        if text.isascii() or max(text) <= "\uffff":
            self._call("POST", f"/element/{found}/value", {"text": text})
        else:  # its driver knows no keys for characters beyond the first plane, which people paste
            script = "const input = document.querySelector(arguments[0]); input.value = arguments[1];"
            self.run(f"{script} input.dispatchEvent(new Event('input', {{bubbles: true}}))", selector, text)

    def choose(self, selector: str, file: Path) -> None:
        """Give a file to an input of files, as its dialogue does."""
        self._call("POST", f"/element/{self._find(selector)}/value", {"text": str(file)})

    def saving(self, folder: Path) -> None:
        """Save what is downloaded from now on into a folder, and ask nobody."""
        self._command("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})

    def press(self, *keys: str, holding: str = "") -> None:
        """Press keys one after the other, wherever the focus is; names are those of ``KEYS``."""
        held = [KEYS[holding]] if holding else []
        pressed = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        downs = [{"type": "keyDown", "value": key} for key in held]
        ups = [{"type": "keyUp", "value": key} for key in held]
        actions = [{"type": "key", "id": "keyboard", "actions": [*downs, *pressed, *ups]}]
        self._call("POST", "/actions", {"actions": actions})

    def look(self, *, width: int = 900, height: int = 1100, dark: bool = False) -> None:
        """Show the page on a screen of so many pixels, in light or dark colours."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._command("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", {"features": [scheme]})

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
        """A picture of the whole page."""
        taken = self._command("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(taken["data"]))

    def complaints(self) -> list[str]:
        """What the browser's console says of the page's own faults, since it was last asked."""
        found = self._call("POST", "/se/log", {"type": "browser"})
        return [
            entry["message"]
            for entry in found
            # A request that was refused is told of, too.
            if entry["level"] == "SEVERE" and "responded with a status of 4" not in entry["message"]
        ]

    def close(self) -> None:
        """Close the window."""
        self._call("DELETE", "")

    def _find(self, selector: str) -> str:
        return str(self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT])

    def _command(self, name: str, parameters: dict[str, Any]) -> Any:
        """What the browser's own protocol has and WebDriver has not."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

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
