"""The identity of a test: file, class and name without what changes from run to run.

Outcome, measured time, machine, folder of the agent, object address, directive and phase are removed; parameters are
not. Every report goes through `normalize_report`, so that no reader can forget it. docs/ingest.md has the rules for
users. All rules are idempotent, and look at one case alone: a name does not depend on which other tests ran.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ingest.parsers.agent_paths import Roots, is_absolute, without_root, without_roots_within
from ingest.parsers.cases import Case, Report
from ingest.parsers.text import clip

NAME_CHARS = 4 << 10
CACHED_CHARS = 1 << 10  # of a test's identity; a longer one is not cached
CACHED_TESTS = 1 << 17
MIN_HOST_CHARS = 3
MAX_ROUNDS = 20  # what one rule uncovers, another may remove

_EXTENSION = re.compile(r"\.\w+$")

# --- object addresses -----------------------------------------------------------------------------------------------
_TYPE = r"(?:(?:[\w$]+\.)*[A-Z][\w$]*(?:/0)?(?:\[\])*|(?:[\w$]+\.){2,}[\w$]+|\[+[BCDFIJSZ]|\[+L[\w.$]+;)"
# What 64-bit systems give out; a constant, such as 0xffffffff or 0x40021000, does not look so.
_POINTER = (
    r"0x(?:0000)?(?![0-9a-f]*(?:0{5}|f{5}))"
    r"(?:(?:7[ef]|5[56]|60)[0-9a-f]{10}|(?<=0000)0[12][0-9a-f]{10}|(?:ffff|aaaa)[0-9a-f]{8}|c000[0-9a-f]{6})"
)
_ADDRESSES = (
    # Java: pkg.Type@1a2b3c4d, [Ljava.lang.String;@1a2b3c4d, Type$$Lambda$14/0x00000008000c3000@1a2b3c4d
    (re.compile(r"(\$\$Lambda)(?:\$\d+)?(?:/(?:0x)?[0-9a-f]+)?(?:@[0-9a-f]{1,8}\b)?"), r"\1"),
    (re.compile(r"(\$Proxy)\d+\b|(\$\$\w*By\w+\$\$)[0-9a-f]{6,8}\b"), r"\1\2"),
    (re.compile(rf"(?<![\w.$])({_TYPE})@(?:[0-9a-f]{{8}}|(?=[a-f]*[0-9])[0-9a-f]{{6,7}})\b(?![.-]\w|@)"), r"\1"),
    (re.compile(r", hashCode: \d+\b"), ""),
    # Python, Ruby, Perl, Objective-C, C and Go
    (re.compile(r"(<[^<>]*) at 0x[0-9A-Fa-f]{6,16}\b| at 0x[0-9A-Fa-f]{6,16}(?=>)"), r"\1"),
    (re.compile(r"(<[^<>]*) id='\d{9,20}'(?=>)"), r"\1"),
    (re.compile(r"(<[\w.:]*\w): ?0x[0-9A-Fa-f]{8,16}\b"), r"\1"),
    (re.compile(r"\b([A-Z][\w\\]* Object) #\d+(?= \()"), r"\1"),
    (re.compile(r"\b((?:[\w:]+=)?(?:HASH|ARRAY|CODE|SCALAR|GLOB|REF))\(0x[0-9a-f]+\)"), r"\1"),
    (re.compile(rf"\b{_POINTER}\b", re.IGNORECASE), "0x"),
)
# --- directive, outcome, phase --------------------------------------------------------------------------------------
_DIRECTIVE = re.compile(
    r"(?<!\s)\s+#\s*(?:(?:SKIP|SKIPPED|TODO|TIMEOUT|XFAIL)\b(?![-\w]).*|(?:time|exit|duration_ms|rc)=\S*.*)$", re.DOTALL
)
_WORDS = r"(?:PASS|PASSED|OK|FAIL|FAILED|ERROR|SKIP|SKIPPED|TIMEOUT)"
_OUTCOME = re.compile(
    rf"(?<!\s)\s+\[\s*{_WORDS}\s*\]$|(?<!\s)\s+\(\s*{_WORDS}\s*\)$|(?<![\s.])\s*\.{{3,}}\s*(?:(?i:{_WORDS}))$"
    rf"|(?<!\s)\s+\|\s*{_WORDS}\s*\|$"
    rf"|^(?:[✓✔✗✘✕✖☑☒✅❌]\ufe0f?|\[(?:PASS|PASSED|FAIL|FAILED)\]|\[\s+{_WORDS}\s+\])\s+(?=\S)"
    r"|^\[gw\d+\]\s+(?:\[\s*\d+%\]\s+)?(?=\S)"  # a worker of pytest-xdist
)
_PHASE = re.compile(
    r"^ERROR at (?:setup|teardown) of |(?<!\s)\s+[(\[](?:setup|call|teardown)[)\]]$"
    r"|(?<=::)(\w[^:]*)::(?:setup|teardown)$"
)
_HOOK = re.compile(r'"(?:before|after) (?:each|all)" hook(?:: [^"]*?)? for "(.+)"$')
# --- measured time --------------------------------------------------------------------------------------------------
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0,
          "second": 1.0, "seconds": 1.0}  # fmt: skip
_SPAN = rf"(?P<value>\d+(?:\.(?P<decimals>\d+))?) ?(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))})"
_LABELED_TIME = re.compile(rf"(?<!\s)\s+[(\[]?(?:took|time[=:]|elapsed[=:]?|duration[=:])\s*{_SPAN}[)\]]?$")
_MEASURED = re.compile(rf"(?<!\s)\s+(?:(?P<bracket>[(\[])|(?P<word>in )?){_SPAN}(?(bracket)[)\]])$")
_COARSE = ("s", "secs", "second", "seconds")
_STAMPED = re.compile(r"-20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d$")
# --- classes --------------------------------------------------------------------------------------------------------
_SECOND_CHECKOUT = re.compile(r"^([\w -]+)@\d{1,2}(?=\.|$)")  # Robot names a suite after its folder
_DOTTED_ROOT = re.compile(
    r"^(?:(?:var\.lib\.jenkins|var\.jenkins_home|home\.jenkins(?:\.agent)?)\.workspace\.[^.]+\."
    r"|(?:home|Users)\.runner\.work\.[^.]+\.[^.]+\.|home\.vsts\.work\.\d+\.(?:s\.)?"
    r"|(?:[\w-]+\.)+_work\.\d+\.(?:s\.)?)(?=\w)"
)

# Names without any of these are kept as they are; nearly all names are.
_SUSPICIOUS = re.compile(
    r"[@/\\#|]|0x|\$\$|\$Proxy|hashCode|hook|\.\.\.|ERROR at | id='|::"
    r"|^[^\w\"'(\[]|^\[(?:[PFg]|\s)|\s[\[(][^\[\]()]*[\])]$"
    r"|\d ?(?:[mnuµμ]?s|secs?|seconds?)[)\]]?$"
)


class MeasuredTime(NamedTuple):
    """A duration at the end of a name, in seconds; `precision` is that of the last digit. `marked`: within brackets or
    after "in"."""

    name: str  # without it
    seconds: float
    precision: float
    marked: bool


class Identity(NamedTuple):
    """`measured` is set if the name ends with what may be a measured time."""

    file: str
    class_name: str
    name: str
    measured: MeasuredTime | None = None


def normalize_report(report: Report, roots: Roots = None, *, prints_times: bool = False) -> None:
    """Give the cases of a report their identity.

    `prints_times`: the report is what a program printed, so that a time at the end of a name is a measured one.
    """
    known = _known(roots)
    for case in report.cases:
        names = (case.file, case.class_name, case.name)
        found = known.get(names, _UNKNOWN)
        if found is _UNKNOWN:
            found = _find(names, known, roots)
        if found is not None:
            case.file, case.class_name, case.name, measured = found
            if measured is not None and _is_measured(measured, case.duration_s, prints_times):
                case.name = measured.name
                case.duration_s = measured.seconds if case.duration_s is None else case.duration_s
        if case.host and (case.host in case.class_name or case.host in case.name):
            _remove_host(case, roots)


def identify(file: str, class_name: str, name: str, roots: Roots = None) -> Identity:
    """The identity by the texts alone: see `normalize_report`."""
    file, class_name = _location(file, class_name, roots)
    if name.isidentifier() or not _SUSPICIOUS.search(name):
        return Identity(file, class_name, name)
    name = _name(name, roots)
    return Identity(file, class_name, name, _measured_time(name, roots))


_UNKNOWN = Identity("", "", "")


@lru_cache(8)
def _known(roots: Roots) -> dict[tuple[str, str, str], Identity | None]:
    """The identities found so far, None for names that stay: a test that occurs again costs one lookup."""
    return {}


def _find(
    names: tuple[str, str, str], known: dict[tuple[str, str, str], Identity | None], roots: Roots
) -> Identity | None:
    """Find an identity that is not known, and keep it."""
    file, class_name, name = (clip(text, NAME_CHARS) for text in names)
    found = identify(file, class_name, name, roots)
    answer = None if found == (*names, None) else found
    if sum(map(len, names)) <= CACHED_CHARS:
        if len(known) >= CACHED_TESTS:
            known.clear()
        known[names] = answer
    return answer


@lru_cache(4096)
def dotted(file: str) -> str:
    """`pkg/mod_test.py` as Python would import it: `pkg.mod_test`."""
    return _EXTENSION.sub("", file).replace("/", ".")


@lru_cache(1 << 13)
def _location(file: str, class_name: str, roots: Roots) -> tuple[str, str]:
    """(file, class) without the agent's folder; the file's dotted path, which pytest puts in front of the class, is
    removed."""
    as_given = file.replace("\\", "/").strip("/")
    file = without_root(file, roots) if file else ""
    before = None
    for _ in range(4):
        if before == class_name:
            break
        before = class_name
        if is_absolute(class_name):
            class_name = without_root(class_name, roots)
        elif not class_name.replace(".", "").isidentifier():
            class_name = " > ".join(_name(part, None) for part in class_name.strip().split(" > "))
            class_name = _STAMPED.sub("", _SECOND_CHECKOUT.sub(r"\1", class_name))
        class_name = _DOTTED_ROOT.sub("", class_name)
    if is_absolute(file):
        file = _cut_by_class(file, class_name)
    for module in (dotted(file), dotted(as_given)):
        if file and class_name == module:
            return file, ""
        if file and class_name.startswith(module + "."):
            return file, class_name[len(module) + 1 :]
    return file, class_name


def _cut_by_class(file: str, class_name: str) -> str:
    """An absolute file of an unknown root, from where its dotted path begins the class: two names at least."""
    parts = file.split("/")
    for first in range(max(1, len(parts) - MAX_ROUNDS), len(parts) - 1):
        relative = "/".join(parts[first:])
        if f"{class_name}.".startswith(f"{dotted(relative)}."):
            return relative
    return file


def _name(name: str, roots: Roots) -> str:
    before, kept = "", name.strip()
    for _ in range(MAX_ROUNDS):
        if kept in ("", before):
            break
        before = kept
        kept = _DIRECTIVE.sub("", kept)
        kept = _OUTCOME.sub("", kept)
        kept = _LABELED_TIME.sub("", kept)
        kept = _HOOK.sub(r"\1", _PHASE.sub(r"\1", kept))
        kept = without_roots_within(without_addresses(kept))
        if " " not in kept and _EXTENSION.search(kept) and is_absolute(kept):
            kept = without_root(kept, roots)
        kept = kept.strip()
    return kept or name


def _measured_time(name: str, roots: Roots) -> MeasuredTime | None:
    """The time at the end of a name, which has to be compared with the case's duration."""
    found = _MEASURED.search(name)
    # "(5s)" is rather a parameter; "in 0sec" is how Bats prints a time.
    if not found or not found.start() or (found["unit"] in _COARSE and len(found["decimals"] or "") < 2):
        return None
    unit = _UNITS[found["unit"]]
    return MeasuredTime(
        name=_name(name[: found.start()], roots),
        seconds=float(found["value"]) * unit,
        precision=unit / 10 ** len(found["decimals"] or ""),
        marked=bool(found["bracket"] or found["word"]),
    )


def _is_measured(time: MeasuredTime, duration_s: float | None, prints_times: bool) -> bool:
    """Whether a time in a name is that of the result, and not a parameter: it is the same when rounded."""
    if duration_s is None:
        return prints_times and time.marked
    return abs(duration_s - time.seconds) < time.precision * 1.001


def without_addresses(text: str) -> str:
    """A text without the addresses of objects, which differ in every process."""
    if "@" in text or "0x" in text or "$" in text or "hashCode" in text or " id='" in text or "Object #" in text:
        for pattern, kept in _ADDRESSES:
            text = pattern.sub(kept, text)
    return text


def _remove_host(case: Case, roots: Roots) -> None:
    """Remove the machine's name from both ends of the class, and where it is a remark at the end of the name. Within
    brackets without a space before them it is a parameter."""
    host = case.host
    if len(host) < MIN_HOST_CHARS or host == "localhost":
        return
    own = re.escape(host)
    before = ("", "")
    while before != (case.class_name, case.name):
        before = case.class_name, case.name
        class_name = re.sub(rf"^{own}[./:](?=.)|^\[{own}\] ?(?=.)|(?<=.)(?:[@/]{own}| [\[(]{own}[\])])$", "", before[0])
        name = re.sub(rf"(?<=.)(?: (?:@ ?|on ){own}| [\[(](?:on )?{own}[\])])$|^\[{own}\] (?=\S)", "", before[1])
        case.file, case.class_name, case.name, _ = identify(case.file, class_name, name, roots)
