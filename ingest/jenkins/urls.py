"""Paths of Jenkins objects below the server's address, and the inverse: which job and build a URL names."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit


def encode(segment: str) -> str:
    """One path segment as Jenkins' Util.rawEncode writes it: the URL of an item named `a%2Fb` has `a%252Fb`."""
    return quote(segment, safe="!$&'()*+,=@")


def job_path(full_name: str) -> str:
    """The path of a job or folder: `job/qa/job/7.0/` for `qa/7.0`. The job of an axis build is `matrix/axis=value`."""
    segments = [segment for segment in full_name.split("/") if segment]
    return "".join(
        f"{encode(segment)}/" if position and _is_axis(segment) else f"job/{encode(segment)}/"
        for position, segment in enumerate(segments)
    )


def build_path(full_name: str, number: int) -> str:
    return f"{job_path(full_name)}{number}/"


def artifact_path(full_name: str, number: int, relative: str) -> str:
    return f"{build_path(full_name, number)}artifact/{'/'.join(encode(segment) for segment in relative.split('/'))}"


def parse_job_url(url: str) -> tuple[str, int | None]:
    """(full name, build number or None) of the job or build that a URL names, whatever its host, prefix or view.

    Raises ValueError if the URL names no job.
    """
    parts = [unquote(segment) for segment in urlsplit(url).path.split("/") if segment]
    names: list[str] = []
    number = None
    position = parts.index("job") if "job" in parts else len(parts)
    while position < len(parts):
        if parts[position] == "job" and position + 1 < len(parts):
            names.append(parts[position + 1])
            position += 2
        elif names and _is_axis(parts[position]):
            names.append(parts[position])
            position += 1
        else:
            number = int(parts[position]) if parts[position].isdigit() else None
            break
    if not names:
        raise ValueError(f"{url!r} names no Jenkins job: it should contain /job/NAME/")
    return "/".join(names), number


def _is_axis(segment: str) -> bool:
    return "=" in segment
