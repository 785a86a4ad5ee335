"""Find the file on disk that a link in a feed means: never the network, never outside the feed's folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

__all__ = ["local_file"]


def local_file(link: str, folder: Path) -> Path | None:
    """Find what a link points to, in a folder or below it.

    A relative path is followed from the folder, `file://` as it is; of a link into the network only the last
    part counts, as the name of a file in the folder.

    Args:
        link: a URL or path, perhaps percent-encoded.
        folder: that nothing is read outside of, not even through links in the file system.

    Returns:
        The resolved path of a regular file, or None if there is none.
    """
    try:
        root = folder.resolve()
        for path in _candidates(link.strip(), root):
            found = path.resolve()
            if found.is_relative_to(root) and found.is_file():
                return found
    except (OSError, ValueError, RuntimeError):  # no valid URL or name, or a loop of links
        return None
    return None


def _candidates(link: str, root: Path) -> list[Path]:
    if not link:
        return []
    parts = urlsplit(link)
    path = unquote(parts.path)
    if parts.scheme == "file":
        return [Path(path)] if parts.netloc in ("", "localhost") else []
    if parts.scheme in ("http", "https"):
        name = PurePosixPath(path).name
        return [root / name] if name else []
    return [root / link, root / path]  # a name may hold "%", "?" and "#" themselves
