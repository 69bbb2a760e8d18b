"""The page in a real browser."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import runcard
from runcard.packaging.bundle import open_bundle
from tests.browser import Browser, chromium
from tests.conftest import HANG_S, Made, customers, write_arrays
from tests.servers import ROOT, Service, bentoml_serve

TOKEN = "a-token-that-is-long-enough"
HEADLINE = "return document.querySelector('#answer h2')?.textContent"
WRONG = "return [...document.querySelectorAll('#answer .wrong')].map(one => one.textContent).join('; ')"
TOLD = "return document.querySelector('#many-status').textContent"
EXAMPLES = "return Object.fromEntries([...document.querySelectorAll('#examples code')].map(c => [c.id, c.textContent]))"
# The lowest contrast of any text that is seen, and which text that is: of WCAG 2, by relative luminances.
CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
pytestmark = pytest.mark.slow


def field(name: str) -> str:
    return f"[data-name='{name}']"


def submit(browser: Browser) -> str:
    browser.run("document.querySelector('#answer').replaceChildren()")
    browser.click("button[type=submit]")
    return str(browser.wait_for("return document.querySelector('#answer').textContent"))


def pick(browser: Browser, name: str, text: str) -> None:
    """Choose an option as its text says; the keyboard's way is in its own test."""
    browser.run(
        "const select = document.querySelector(arguments[0]);"
        "select.selectedIndex = [...select.options].findIndex(one => one.textContent.startsWith(arguments[1]));"
        "select.dispatchEvent(new Event('change', { bubbles: true }))",
        field(name),
        text,
    )


def tab_to(browser: Browser, selector: str, *, back: bool = False) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(60):
        if browser.run("return document.activeElement.matches(arguments[0])", selector):
            return
        browser.press("Tab", holding="Shift" if back else "")
    raise AssertionError(f"Tab never comes to {selector}")


def saved(browser: Browser, folder: Path, selector: str) -> str:
    """What a link saves."""
    folder.mkdir()
    browser.saving(folder)
    browser.click(selector)
    return landed(folder)


def landed(folder: Path) -> str:
    started = time.monotonic()
    while not (files := [file for file in folder.iterdir() if file.suffix in (".csv", ".json")]):
        assert time.monotonic() - started < HANG_S
        time.sleep(0.02)
    return files[0].read_text(encoding="utf-8")


def ran(text: str, kind: str) -> str:
    """What an example prints that is pasted into a shell or a file of Python."""
    program = ["bash", "-e"] if kind == "curl" else [sys.executable, "-W", "error", "-"]
    environment = {**os.environ, "RUNCARD_TOKEN": TOKEN}
    done = subprocess.run(program, input=text, capture_output=True, text=True, timeout=HANG_S, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_examples(browser: Browser) -> dict[str, str]:
    return {name: ran(text, name.rpartition("-")[2]) for name, text in browser.run(EXAMPLES).items()}


def check_looks(browser: Browser, folder: Path, name: str) -> None:
    """Light, dark and on a phone: all text can be read, and nothing lies beside the screen."""
    for look, width, dark in (("light", 1280, False), ("dark", 1280, True), ("phone", 360, False)):
        browser.look(width=width, height=900, dark=dark)
        browser.screenshot(folder / f"{name}-{look}.png")
        assert browser.run("return document.documentElement.scrollWidth") <= width
        ratio, text = browser.run(CONTRAST)
        assert ratio >= 4.5, f"{name}, {look}: {ratio:.2f} of {text!r}"
    browser.look()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def test_a_form_for_a_table(table_service: Service, browser: Browser, away: Path) -> None:
    browser.open(table_service.url)
    browser.type(field("age"), "212")
    pick(browser, "city", "another")
    browser.type(f"{field('city')} + .another", "Rom")
    browser.type(field("spent"), "12,5")
    said = submit(browser)
    assert browser.run(HEADLINE) in ("churned: yes", "churned: no")
    assert "age 212 is outside" in said
    assert "city 'Rom' was never seen" in said
    assert browser.run("return document.querySelector('#status').textContent").startswith(browser.run(HEADLINE))
    check_looks(browser, away, "table")
    browser.type(field("age"), "old")
    submit(browser)
    assert browser.run(WRONG) == "age: must be a number, not a text"
    assert browser.run("return document.activeElement.dataset.name") == "age"
    described = "document.activeElement.getAttribute('aria-describedby').split(' ').pop()"
    beside = browser.run(f"return document.getElementById({described}).textContent")
    assert beside == "must be a number, not a text"
    assert browser.run("return document.activeElement.getAttribute('aria-invalid')") == "true"
    check_looks(browser, away, "wrong")
    browser.click("#clear")
    submit(browser)
    assert browser.run("return document.querySelectorAll('#answer .warning').length") == 4
    assert not browser.run("return document.querySelectorAll('[aria-invalid]').length")
    assert not browser.complaints()


def test_what_an_answer_hangs_on(table_service: Service, browser: Browser) -> None:
    browser.open(table_service.url)
    row = browser.run("return rows[0]")
    submit(browser)
    browser.wait_for("return document.querySelector('#answer .effect')")
    said = table_service.post(row, "/explain")[1]
    shown = browser.run(
        "return [...document.querySelectorAll('.effect')].map(one => [one.firstChild.textContent.split(' ')[0],"
        " one.lastChild.textContent, one.querySelector('i').className === 'against'])"
    )
    for (name, text, against), expected in zip(shown, said["fields"], strict=True):
        assert name == expected["field"]
        assert float(text.replace("−", "-")) == pytest.approx(100 * expected["effect"], abs=0.051)
        assert against == (expected["effect"] < 0)
    assert said["method"] in browser.run("return document.querySelector('#answer').textContent")


def test_the_head_says_how_good_the_model_is(table_service: Service, digits_service: Service, browser: Browser) -> None:
    browser.open(digits_service.url)
    head = browser.run("return document.querySelector('header').innerText")
    assert "Read single handwritten digits on forms without a person." in head
    score = json.loads(digits_service.get("/model")[1])["metrics"]["test/accuracy"]
    assert f"accuracy {score:.4f}" in head
    verdict = "better than" if score > 0.96 else "worse than"
    assert f"{verdict} what is done today (Multinomial logistic regression on the pixels): 0.9600" in head
    browser.open(table_service.url)
    assert "Not written down" not in browser.run("return document.body.textContent")


def test_a_csv_is_answered_and_saved(table_service: Service, browser: Browser, away: Path) -> None:
    rows = customers(30, seed=5).drop("churned")
    rows.write_csv(away / "mine.csv")
    rows.write_csv(away / "semicolons.csv", separator=";")
    browser.open(table_service.url)
    browser.click("#tab-many")
    for place, (name, separator) in enumerate((("mine.csv", ","), ("semicolons.csv", ";"))):
        browser.choose("#file", away / name)
        browser.wait_for("return document.querySelector('#save')")
        said = browser.run(TOLD)
        alone = pl.read_csv(io.StringIO(saved(browser, away / f"alone{place}", "#save")))
        assert alone.columns == ["prediction", "probability_no", "probability_yes", "unusual"]
        whole = pl.read_csv(io.StringIO(saved(browser, away / f"whole{place}", "#save-both")), separator=separator)
        assert whole.select(rows.columns).equals(rows)
        assert whole.select(alone.columns).fill_null("").equals(alone)
        browser.run("document.querySelector('#answers').replaceChildren()")
    rows.with_columns(city=pl.lit("=1+1")).write_csv(away / "formulas.csv")
    browser.choose("#file", away / "formulas.csv")
    browser.wait_for("return document.querySelector('#save')")
    assert "have ' before them in saved files" in browser.run("return document.querySelector('#answers').textContent")
    assert {*pl.read_csv(io.StringIO(saved(browser, away / "formulas", "#save-both")))["city"]} == {"'=1+1"}
    browser.run("document.querySelector('#answers').replaceChildren()")
    request = urllib.request.Request(f"{table_service.url}/predict/batch", (away / "mine.csv").read_bytes())
    request.add_header("Content-Type", "text/csv")
    with urllib.request.urlopen(request) as response:
        text = response.read().decode()
    assert (away / "alone0" / "mine-answers.csv").read_text(encoding="utf-8") == text
    odd = (alone["unusual"] != "").sum()
    assert f"30 rows answered. {odd} are unusual" in said
    browser.run(
        "const data = new DataTransfer(); data.items.add(new File([arguments[0]], 'dropped.csv'));"
        "document.querySelector('#drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true }))",
        rows.head(3).write_csv(),
    )
    browser.wait_for("return document.querySelectorAll('#answers tbody tr').length === 3")
    assert browser.run("return document.querySelector('#save').download") == "dropped-answers.csv"
    browser.click("#try")
    browser.wait_for("return document.querySelectorAll('#answers tbody tr').length === 20")
    check_looks(browser, away, "many")
    assert not browser.complaints()


def test_a_wrong_csv_is_refused_in_words(table_service: Service, browser: Browser, away: Path) -> None:
    browser.open(table_service.url)
    browser.click("#tab-many")
    for text, says in (
        ("age,city\n1,Ulm\n", "the rows lack 2 of the model's 4 columns: 'member', 'spent'"),
        ("age,city,member,spent\nold,Ulm,true,1\n", "column 'age' must hold numbers; … is none (row 1)"),
        ("", "the CSV is empty"),
    ):
        (away / "wrong.csv").write_text(text)
        browser.choose("#file", away / "wrong.csv")
        browser.wait_for("return document.querySelector('#many-status').className === 'wrong'")
        assert says in browser.run(TOLD)
        browser.run("told.className = ''; document.querySelector('#file').value = ''")


def test_a_csv_is_read_and_written_as_others_do(table_service: Service, browser: Browser) -> None:
    browser.open(table_service.url)
    text = 'a,"b ""quoted"", twice",c\r\n1,"over\ntwo lines",\n,,"x"\n'
    read = browser.run("return parseCsv(arguments[0], ',')", text)
    assert read == list(csv.reader(io.StringIO(text, newline="")))
    written = browser.run("return writeCsv(arguments[0], ',')", read)
    assert list(csv.reader(io.StringIO(written, newline=""))) == read


def test_all_by_keyboard_for_a_table(table_service: Service, browser: Browser, away: Path) -> None:
    browser.open(table_service.url)
    tab_to(browser, "#tab-one")
    tab_to(browser, field("age"))
    browser.press(*"61", "Tab", "K")
    tab_to(browser, "button[type=submit]")
    browser.press("Enter")
    browser.wait_for("return document.querySelector('#answer .effect')")
    assert browser.run("return [inputs[0].value, inputs[1].value]") == ["61", "Köln"]
    tab_to(browser, "#tab-one", back=True)
    browser.press("Left")
    assert browser.run("return document.activeElement.id") == "tab-api"
    browser.press("Home", "Right")
    tab_to(browser, "#try")
    browser.press("Enter")
    browser.wait_for("return document.querySelector('#answers table')")
    tab_to(browser, "#save")
    (away / "saved").mkdir()
    browser.saving(away / "saved")
    browser.press("Enter")
    assert landed(away / "saved").startswith("prediction,")
    tab_to(browser, "#tab-many", back=True)
    browser.press("Right")
    tab_to(browser, "#examples button")
    browser.press("Enter")
    browser.wait_for("return document.querySelector('#api-status').textContent === 'Copied'")
    assert browser.run("return document.activeElement.textContent") == "Copied"
    check_looks(browser, away, "api")
    assert not browser.complaints()


def test_all_by_keyboard_for_an_image(digits_service: Service, browser: Browser) -> None:
    browser.open(digits_service.url)
    tab_to(browser, "#clear")
    browser.press("Enter")
    tab_to(browser, field("image"), back=True)
    browser.press(*["Up"] * 7)
    browser.press(*["Down"] * 14, holding="Shift")
    browser.press("Space")
    tab_to(browser, "button[type=submit]")
    browser.press("Enter")
    assert browser.wait_for(HEADLINE) == "digit: 1"
    tab_to(browser, "#answer button")
    browser.press("Enter")
    browser.wait_for("return document.querySelector('#answer figure canvas')")
    assert browser.run("return document.activeElement.className") == "why"


def test_a_drawing_and_a_picture_for_an_image(
    digits_made: Made, digits_service: Service, browser: Browser, away: Path
) -> None:
    rows, truth = runcard.tested_rows(digits_made.run.path)
    made = sorted(open_bundle(digits_made.bundle.path).examples, key=lambda row: row["image"] is None)
    answers, of_made = (
        digits_made.run.predict({"image": [row["image"] for row in some]})["prediction"].to_list()
        for some in (rows, made)
    )
    browser.open(digits_service.url)
    submit(browser)
    shown = "return rows.findIndex(row => row.image && read(inputs[0]).flat().join() === row.image.flat().join())"
    assert browser.run(HEADLINE) == f"digit: {of_made[browser.run(shown)]}"
    browser.click("#clear")
    browser.draw(field("image"), [(-5, -100), (-5, -50), (-5, 0), (-5, 50), (-5, 100)])
    submit(browser)
    assert browser.run(HEADLINE) == "digit: 1"
    shares = browser.run(
        "return [...document.querySelectorAll('#answer .bar b')].map(one => parseFloat(one.textContent))"
    )
    assert len(shares) == 10
    assert shares == sorted(shares, reverse=True)
    drawn = browser.run("return read(inputs[0])")
    browser.click("#answer .why button")
    browser.wait_for("return document.querySelector('#answer figure canvas')")
    cells = np.array(digits_service.post({"image": drawn}, "/explain")[1]["fields"][0]["cells"])
    row, column = np.unravel_index(cells.argmax(), cells.shape)
    told = browser.run("return document.querySelector('figure canvas').getAttribute('aria-label')")
    assert f"row {row + 1} of 8, column {column + 1} of 8" in told
    check_looks(browser, away, "digits")
    chosen = truth.index("3")
    for size, says in ((8, f"digit: {answers[chosen]}"), (9, None)):
        path = away / f"{size}.png"
        pixels = np.zeros((size, size), dtype=np.uint8)
        pixels[:8, :8] = np.round(np.array(rows[chosen]["image"]) * 255 / 16)
        Image.fromarray(pixels).save(path)
        browser.choose("input[type=file]", path)
        sent = f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
        browser.wait_for(f"return read(inputs[0]) === '{sent}'")
        submit(browser)
        assert browser.run(HEADLINE) == says
    assert browser.run(WRONG) == "image: must be a picture of 8×8 pixels, not 9×9"
    browser.click("#tab-many")
    browser.click("#to-api")
    said = run_examples(browser)
    assert json.loads(said["batch-curl"])["class"] == [json.loads(said["predict-curl"])["class"]]
    assert said["batch-python"].startswith("[")
    assert not browser.complaints()


def test_a_text_area_for_a_sequence(sequence_made: Made, browser: Browser) -> None:
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=sequence_made.bundle.tag) as service:
        browser.open(service.url)
        submit(browser)
        assert str(browser.run(HEADLINE)).removeprefix("target: ") in ("ant", "bee", "cat")
        browser.click("#answer .why button")
        assert "of 6, channel" in browser.wait_for("return document.querySelector('#answer figcaption')?.textContent")
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
        browser.click("#tab-many")
        browser.click("#try")
        browser.wait_for("return document.querySelector('#answers table')")
        assert not browser.complaints()


def test_words_of_a_text_are_tinted(text_made: Made, browser: Browser) -> None:
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=text_made.bundle.tag) as service:
        browser.open(service.url)
        browser.type(field("review"), "the 🎬 film was lovely !")
        submit(browser)
        browser.click("#answer .why button")
        browser.wait_for("return document.querySelector('#answer mark')")
        marks = browser.run("return [...document.querySelectorAll('mark')].map(one => one.textContent)")
        assert marks == ["the", "🎬", "film", "was", "lovely", "!"]
        assert browser.run("return document.querySelector('.effect').firstChild.textContent") == "lovely"
        assert not browser.complaints()


def test_a_token_and_a_limit_in_words(table_made: Made, browser: Browser) -> None:
    limits = {"RUNCARD_TOKEN": TOKEN, "RUNCARD_SERVE": json.dumps({"max_rows": 10})}
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=table_made.bundle.tag, **limits) as service:
        browser.open(service.url.replace("//", f"//anybody:{TOKEN}@"))
        submit(browser)
        assert browser.run(HEADLINE) in ("churned: yes", "churned: no")
        said = run_examples(browser)
        assert all(TOKEN not in text for text in browser.run(EXAMPLES).values())
        answer = json.loads(said["predict-curl"])
        assert said["predict-python"].startswith(answer["class"])
        assert said["batch-curl"].strip() == said["batch-python"].strip()
        assert len(said["batch-curl"].splitlines()) == 4
        fields = [one["field"] for one in json.loads(said["explain-curl"])["fields"]]
        assert [line.split()[0] for line in said["explain-python"].splitlines()] == fields
        browser.click("#tab-many")
        browser.click("#try")
        assert "That is too much at once: " in browser.wait_for(f"{TOLD}.replace('Answering …', '')")
        browser.click("#tab-one")
        browser.run("const real = fetch; fetch = (path, how) => real(path, { ...how, credentials: 'omit' })")
        submit(browser)
        assert "give the token as the password" in browser.run(WRONG)
        assert not browser.complaints()


def test_a_long_row_is_read_from_a_file(away: Path, browser: Browser) -> None:
    write_arrays(away, 1, 40, 40)
    words = ["data=arrays", "data.inputs=inputs.npy", "data.targets=targets.npy", "model=linear", "report=false"]
    tag = runcard.package(runcard.fit(runcard.load_card([*words, "trainer.max_epochs=1"])).path).tag
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=tag) as service:
        browser.open(service.url)
        browser.click("#tab-api")
        for name in ("row", "columns"):
            (away / f"{name}.json").write_text(saved(browser, away / name, f"[download='{name}.json']"))
        said = run_examples(browser)
        assert json.loads(said["batch-curl"])["class"] == [json.loads(said["predict-curl"])["class"]]
        assert json.loads(said["explain-curl"])["fields"][0]["field"] == said["explain-python"].split()[0]
        assert not browser.complaints()


def test_names_that_are_markup_or_code_are_names(away: Path, browser: Browser) -> None:
    random = np.random.default_rng(0)
    kinds = np.array(["</script><img src=x onerror=alert(1)>", "it's", 'a "quote"', "x, y; $(id) `id` \\"])
    columns: dict[str, Any] = {
        "constructor": random.normal(size=200).round(3),
        'he said "it\'s" <b>': random.choice(kinds, 200),
        "</style>, ${x}": random.random(200) < 0.5,
    }
    columns["n'o <i>"] = np.where(columns["constructor"] > 0, "<b>yes</b>", "it's; no")
    pl.DataFrame(columns).write_csv(away / "odd.csv")
    words = ["data=table", "data.path=odd.csv", 'problem.target="n\'o <i>"', "trainer.max_epochs=1", "report=false"]
    tag = runcard.package(runcard.fit(runcard.load_card(words)).path).tag
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=tag) as service:
        browser.open(service.url)
        submit(browser)
        assert str(browser.run(HEADLINE)).removeprefix("n'o <i>: ") in ("<b>yes</b>", "it's; no")
        browser.wait_for("return document.querySelectorAll('.effect').length === 3")
        said = run_examples(browser)
        assert json.loads(said["predict-curl"])["class"] == browser.run(HEADLINE).removeprefix("n'o <i>: ")
        assert said["batch-curl"].strip() == said["batch-python"].strip()
        browser.click("#tab-many")
        browser.click("#try")
        browser.wait_for("return document.querySelector('#save-both')")
        assert not browser.run(
            "return document.querySelectorAll('main img, main i:not([style]), main b:not(.bar b)').length"
        )
        assert not browser.complaints()


def test_the_description_opens(table_service: Service, browser: Browser) -> None:
    browser.open(f"{table_service.url}/docs")
    browser.wait_for("return document.querySelector('.opblock-post')?.textContent.includes('/predict')")
    browser.click(".opblock-post .opblock-control-arrow")
    browser.wait_for("return document.querySelector('.opblock-post')?.textContent.includes('spent')")
    assert not browser.complaints()
