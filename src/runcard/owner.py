"""Whose a file is: trust goes by its owner, and by that of every folder and link on the way to it.

Who owns a folder can put another file in the place of one in it, and who owns a link says where it leads. So a file of
one's own that is reached by way of another user's is that user's.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

# Links that lead to links; Linux itself follows as many.
MOST_LINKS = 40


def is_ours(path: Path) -> bool:
    """Whether nobody but the user of this process, and root, has a say in what lies at a path."""
    return not_ours(path) is None


def not_ours(path: Path) -> Path | None:
    """What of a path is another user's: the file, a folder on the way, or a link; None: nothing.

    A path that leads nowhere is nobody's, and comes back as far as it could be followed.
    """
    places, links = [Path(os.path.abspath(path))], 0
    while places:
        place = places.pop()
        for part in (*reversed(place.parents), place):
            try:
                found = part.lstat()
            except OSError:
                return part
            if found.st_uid not in (0, os.geteuid()):
                return part
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if links > MOST_LINKS:
                    return part
                target = Path(os.path.abspath(part.parent / os.readlink(part)))
                places.append(target / place.relative_to(part))
                break  # the rest of the way is that of the target
    return None


def not_ours_in(folder: Path) -> Path | None:
    """What of a folder's content, at any depth, is another user's; links are not followed. None: nothing."""
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                if Path(root, name).lstat().st_uid not in (0, os.geteuid()):
                    return Path(root, name)
    return None
