"""The page in a real browser."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runcard
from tests.browser import Browser, chromium
from tests.conftest import Made
from tests.servers import ROOT, bentoml_serve

HEADLINE = "return document.querySelector('#answer h2')?.textContent"
WRONG = "return [...document.querySelectorAll('#answer .wrong')].map(one => one.textContent).join('; ')"
pytestmark = pytest.mark.slow


def field(name: str) -> str:
    return f"[data-name='{name}']"


def submit(browser: Browser) -> str:
    browser.run("document.querySelector('#answer').replaceChildren()")
    browser.click("button[type=submit]")
    return str(browser.wait_for("return document.querySelector('#answer').textContent"))


def test_a_form_for_a_table(table_made: Made, away: Path) -> None:
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=table_made.bundle.tag) as service, chromium() as browser:
        browser.open(service.url)
        for name, text in (("age", "212"), ("city", "Rom"), ("spent", "12,5")):
            browser.type(field(name), text)
        said = submit(browser)
        assert browser.run(HEADLINE) in ("churned: yes", "churned: no")
        assert "age 212 is outside" in said
        assert "city 'Rom' was never seen" in said
        browser.screenshot(away / "table.png")
        browser.type(field("age"), "old")
        submit(browser)
        assert browser.run(WRONG) == "age: must be a number, not a text"
        assert browser.run("return document.activeElement.dataset.name") == "age"
        browser.click("#clear")
        submit(browser)
        assert browser.run("return document.querySelectorAll('#answer .warning').length") == 4
        assert not browser.complaints()


def test_a_drawing_and_a_picture_for_an_image(digits_made: Made, away: Path) -> None:
    rows, truth = runcard.tested_rows(digits_made.run.path)
    answers = digits_made.run.predict({"image": [row["image"] for row in rows]})["prediction"].to_list()
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=digits_made.bundle.tag) as service, chromium() as browser:
        browser.open(service.url)
        submit(browser)
        shown = "return rows.findIndex(row => row.image && read(inputs[0]).flat().join() === row.image.flat().join())"
        assert browser.run(HEADLINE) == f"digit: {answers[browser.run(shown)]}"
        browser.click("#clear")
        browser.draw(field("image"), [(-5, -100), (-5, -50), (-5, 0), (-5, 50), (-5, 100)])
        submit(browser)
        browser.screenshot(away / "drawn.png")
        assert browser.run(HEADLINE) == "digit: 1"
        chosen = truth.index("3")
        for size, says in ((8, f"digit: {answers[chosen]}"), (9, None)):
            path = away / f"{size}.png"
            pixels = np.zeros((size, size), dtype=np.uint8)
            pixels[:8, :8] = np.round(np.array(rows[chosen]["image"]) * 255 / 16)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            path.write_bytes(buffer.getvalue())
            sent = browser.run(
                "const file = new File([Uint8Array.from(atob(arguments[0]), c => c.charCodeAt(0))], 'a.png');"
                "const data = new DataTransfer(); data.items.add(file);"
                "const input = document.querySelector('input[type=file]'); input.files = data.files;"
                "input.dispatchEvent(new Event('change', { bubbles: true })); return true",
                base64.b64encode(buffer.getvalue()).decode(),
            )
            assert sent
            browser.wait_for("return typeof read(inputs[0]) === 'string'")
            submit(browser)
            assert browser.run(HEADLINE) == says
        assert browser.run(WRONG) == "image: must be a picture of 8×8 pixels, not 9×9"
        assert not browser.complaints()


def test_a_text_area_for_a_sequence(sequence_made: Made) -> None:
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=sequence_made.bundle.tag) as service, chromium() as browser:
        browser.open(service.url)
        submit(browser)
        assert str(browser.run(HEADLINE)).removeprefix("target: ") in ("ant", "bee", "cat")
        for text, says in (
            ("[[1, 2]]", "sequence: must be a list of 6 steps, each a list of 2 numbers, not 1×2"),
            ("1, 2", "sequence: must be nested lists, one a step, of as many numbers as there are channels"),
        ):
            browser.type(field("sequence"), text)
            submit(browser)
            assert browser.run(WRONG) == says
        browser.click("#clear")
        assert "sequence is missing" in submit(browser)
        browser.click("#example")
        submit(browser)
        assert "ant" in submit(browser)
        assert not browser.complaints()


def test_the_description_opens(table_made: Made) -> None:
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=table_made.bundle.tag) as service, chromium() as browser:
        browser.open(f"{service.url}/docs")
        browser.wait_for("return document.querySelector('.opblock-post')?.textContent.includes('/predict')")
        browser.click(".opblock-post .opblock-control-arrow")
        browser.wait_for("return document.querySelector('.opblock-post')?.textContent.includes('spent')")
        assert not browser.complaints()
