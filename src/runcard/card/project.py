"""The project's own settings: ``[tool.runcard]`` in the nearest ``pyproject.toml``, a place that no card can reach."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from runcard.card.pyproject import FILE, nearest, table
from runcard.card.sections.parts import Name, Text
from runcard.card.sections.serve import FILES, find_wrong
from runcard.card.spelling import suggest
from runcard.errors import CardError, Mistake


class _Settings(BaseModel):
    """What ``[tool.runcard]`` may say."""

    model_config = ConfigDict(extra="forbid", strict=True)

    trust: list[Text] = []
    config_dir: Text | None = None
    experiment: Name | None = None
    serve: dict[str, Any] = {}


@dataclass(frozen=True)
class Project:
    """What the owner of the working directory's project has settled for all its cards.

    Attributes:
        root: The folder that holds ``pyproject.toml``; the working directory if there is none.
        trust: Packages whose classes a card may name in ``_target_``.
        config_dir: Where groups are looked for when ``--config-dir`` is not given.
        experiment: The choice of the group ``experiment`` when none is made.
        serve: How bundles are served; what is not among it has its default.
    """

    root: Path
    trust: tuple[str, ...] = ()
    config_dir: Path | None = None
    experiment: str | None = None
    serve: Mapping[str, Any] = field(default_factory=dict)

    def words(self, overrides: Sequence[str]) -> list[str]:
        """Overrides with the project's own experiment, unless one is chosen or refused among them."""
        chosen = any(word.lstrip("+~").partition("=")[0] == "experiment" for word in overrides)
        return list(overrides) if chosen or self.experiment is None else [f"experiment={self.experiment}", *overrides]

    @contextlib.contextmanager
    def placed(self, overrides: Sequence[str]) -> Iterator[None]:
        """Say of a mistake in the project's own experiment that it stands in its settings, and was not typed."""
        try:
            yield
        except CardError as error:
            word = f"override experiment={self.experiment}"
            if self.words(overrides) == list(overrides) or not any(one.where == word for one in error.mistakes):
                raise
            place = f"experiment below [tool.runcard] in {self.root / FILE}"
            placed = [replace(one, where=place) if one.where == word else one for one in error.mistakes]
            raise CardError(placed) from None


def find() -> Project:
    """The project of the working directory.

    Raises:
        CardError: If its settings are wrong.
    """
    file = nearest()
    if file is None:
        return Project(Path.cwd())
    try:
        settings = _Settings.model_validate(table(file))
    except (OSError, ValueError) as error:
        raise CardError(_mistakes(error, file)) from None
    serve = {key: _from(file.parent, key, value) for key, value in settings.serve.items()}
    wrong = find_wrong(serve)
    if wrong:
        raise CardError([Mistake("tool.runcard.serve", sentence, str(file)) for sentence in wrong])
    config_dir = None if settings.config_dir is None else file.parent / settings.config_dir
    return Project(file.parent, tuple(settings.trust), config_dir, settings.experiment, serve)


def _from(folder: Path, key: str, value: Any) -> Any:
    """A value, or a file's place in the project."""
    if key in FILES and isinstance(value, str):
        return str((folder / Path(value).expanduser()).absolute())
    return value


def _mistakes(error: OSError | ValueError, file: Path) -> list[Mistake]:
    if not isinstance(error, ValidationError):
        return [Mistake(str(file), f"cannot be read: {error}")]
    return [_mistake(detail, file) for detail in error.errors(include_url=False)]


def _mistake(detail: Any, file: Path) -> Mistake:
    key = ".".join(["tool.runcard", *map(str, detail["loc"])])
    if detail["type"] == "extra_forbidden":
        return Mistake(key, "there is no such key", str(file), suggest(str(detail["loc"][-1]), _Settings.model_fields))
    return Mistake(key, f"{detail['msg']}, not {detail['input']!r}", str(file))
