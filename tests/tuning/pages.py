"""Reads a page as a browser would, and refuses one that needs or does more than it may."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def pictures(self) -> list[str]:
        return [str(attributes.get("aria-label") or "") for tag, attributes in self.tags if tag == "svg"]


def parsed(text: str) -> Page:
    """A page that has been held against what every page must be."""
    assert text.startswith("<!doctype html>")
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not {"link", "img", "iframe", "object", "base", "image"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "xlink:href", "action"):
            assert ":" not in (attributes.get(name) or ""), attributes
    assert "url(http" not in text
    assert "@import" not in text
    assert all(page.pictures())
    return page
