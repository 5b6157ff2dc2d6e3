"""Commands for data that is not polled: report files, the bug feed, and the raw files of the store. `--json` prints one
object (or one per line) and nothing else on standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from data.cli.common import fail, json_option, load_settings, opened_store, require_store
from data.number_text import counted
from ingest.cli.progress import SOURCE, chosen_sources, progress_bar
from ingest.tuning import single_threaded, tune_gc_for_batches

if TYPE_CHECKING:
    from ingest.importer import ImportedBuild
    from ingest.metadata_csv import ImportedMetadata


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option("one JSON object per file")
def parse(files: tuple[Path, ...], as_json: bool) -> None:
    """Parse report files and print one line per file. Nothing is stored.

    Status is ok, recovered (ill-formed, but readable), not_junit or error. Failed includes errors.

    Exit code 0: all files were read; 1: a file has the status error.

    \b
    Example: regtracker parse build/reports/*.xml --json
    """
    from ingest.parsers import parse_file
    from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report
    from ingest.repeats import count_retries

    worst = 0
    for file in files:
        try:
            with file.open("rb") as stream:
                _, report = parse_file(file.name, stream)
        except OSError as error:
            report = Report("error", warnings=[f"cannot be read: {error.strerror}"])
        worst |= report.status == "error"
        tests = report.tests
        answer = {
            "file": str(file),
            "status": report.status,
            "tests": tests,
            "passed": report.count(PASSED),
            "failed": report.count(FAILED),
            "errors": report.errors,
            "skipped": report.count(SKIPPED),
            "suites": report.suites,
            "duration": report.duration_s,
            "warnings": report.warnings,
        }
        if retries := count_retries(report):
            earlier = "1 result is an earlier attempt" if retries == 1 else f"{retries} results are earlier attempts"
            report.warnings.append(f"the store counts {counted(tests - retries, 'test')}: {earlier} of a retry")
        if as_json:
            click.echo(json.dumps(answer))
        else:
            text = "{file}: {status}, {n_tests}, {passed} passed, {failed} failed ({n_errors}), {skipped} skipped"
            counts = {"n_tests": counted(tests, "test"), "n_errors": counted(report.errors, "error")}
            click.echo("; ".join([text.format(**answer, **counts), *report.warnings]))
    sys.exit(worst)


@click.command("import")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--release", help="Tested release line, such as 7.0.")
@click.option("--module", help="Module of the tests.")
@click.option(
    "--build", "number", type=click.IntRange(min=1), help="Build number; modules with the same number form one run."
)
@click.option(
    "--started-at",
    help="Start time (ISO 8601, UTC without a zone); default: the newest in the reports, else of the files.",
)
@click.option("--version", help="Tested full version, such as 7.0.1.12.")
@click.option("--environment", default="default", show_default=True, help="Environment of the tests.")
@click.option("--metadata", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="CSV of test metadata.")
@json_option("one JSON object per build and per path that is left out")
def import_(
    paths: tuple[Path, ...],
    release: str | None,
    module: str | None,
    number: int | None,
    started_at: str | None,
    version: str | None,
    environment: str,
    metadata: Path | None,
    as_json: bool,
) -> None:
    """Store results without a Jenkins: report files, folders and zips of any known kind.

    All paths together are one build, and a file that several paths lead to counts once. Zips in folders are read too.
    Skipped files that look like results are listed. A folder with the layout RELEASE/MODULE/NUMBER/... holds one build
    per NUMBER, and needs neither --release nor --module. With both, only a NUMBER that has a folder junit or a file
    *.order.txt is a build of its own. Importing the same files under the same names again gives the
    same build.

    --metadata reads priorities and ids of tests from a CSV with the column testcase_name and any of file, class,
    test_case_id, priority, testrail_id, component, owner, topology, test_state; for one --release, or for all releases.
    A name that tests of several files or classes have counts for none of them: give file and class, or
    file::class::name.

    Exit code 0: everything was stored; 1: some files could not be read, the rest was stored; 2: the configuration or an
    option is wrong.

    \b
    Example: regtracker import build/reports --release 7.0 --module routing --build 812
             regtracker import logs/            # logs/7.0/routing/41/junit/5s/report.xml
             regtracker import --metadata tests.csv
    """
    from ingest.import_batches import NotImported, import_builds
    from ingest.import_plan import plan, read_moment, unplanned_files
    from ingest.metadata_csv import import_metadata

    settings = load_settings()
    if not paths and not metadata:
        fail("Nothing to import: name report files, folders or zips, or --metadata FILE.csv.")
    answers: list[NotImported | ImportedBuild | ImportedMetadata] = []
    tune_gc_for_batches()
    with opened_store(single_threaded(settings)) as store:
        try:
            moment = read_moment(started_at) if started_at else None
            builds = plan(paths, release, module, number, moment, version, environment)
            skipped = unplanned_files(paths, builds)
        except (ValueError, OSError) as error:
            fail(error)
        why = "not in a folder RELEASE/MODULE/NUMBER"
        answers += [NotImported(paths=[str(path)], skipped_because=why) for path in skipped]
        with progress_bar("Importing") as progress:
            outcomes = import_builds(store, builds, progress)
        answers += [answer for outcome in outcomes for answer in outcome.answers]
        if metadata:  # after the builds, whose tests it may be about
            try:
                answers.append(import_metadata(store, metadata, None if paths else release))
            except ValueError as error:
                fail(f"{metadata}: {error}")
    for answer in answers:
        if as_json:
            click.echo(json.dumps(answer))
        if "paths" in answer:
            problem = answer.get("error") or answer.get("skipped_because")
            click.echo(f"{', '.join(answer['paths'])}: {problem}", err=True)
        elif not as_json:
            click.echo(_sentence(answer))
    sys.exit(0 if all(outcome.complete for outcome in outcomes) else 1)


def _sentence(answer: ImportedBuild | ImportedMetadata) -> str:
    if "rows" in answer:
        text = (
            f"{answer['file']}: {counted(answer['rows'], 'test')}, {answer['added']} new, {answer['changed']} changed"
        )
    else:
        text = "{release} {module} #{number}: {tests}, {passed} passed, {failed} failed, {skipped} skipped".format(
            **answer, tests=counted(answer["total"], "test")
        )
    return "; ".join([text, *answer["warnings"]])


@click.command()
@click.argument("feeds", nargs=-1, metavar="[FILE_OR_URL]...")
@json_option()
def bugs(feeds: tuple[str, ...], as_json: bool) -> None:
    """Read the bug tracker's feed: the bugs, and the test cases of each.

    docs/ingest.md shows the JSON of a feed. Several files and addresses together are one feed. Without any, the url in
    [bugs] of the configuration is read, with the user in [bugs] and REGTRACKER_BUGS_TOKEN. A bug that has left the feed
    is kept and marked as gone. Reading the same feed again changes nothing.

    Exit code 0: everything was stored; 1: some records could not be used, the rest was stored; 2: a feed cannot be
    used or the configuration is wrong, and nothing was changed.

    \b
    Example: regtracker bugs https://tracker.example.com/export/bugs.json
             regtracker bugs bugs.json --json
    """
    from ingest.bug_feed import FeedError, import_bugs

    settings = load_settings()
    wanted = feeds or ((settings.bugs.url,) if settings.bugs.url else ())
    if not wanted:
        fail("No feed: name a file or an address, or set url in [bugs] of the configuration.")
    with opened_store(single_threaded(settings)) as store, progress_bar("kB") as progress:
        try:
            answer = import_bugs(store, wanted, settings.bugs, progress)
        except FeedError as error:
            fail(error)
    if as_json:
        click.echo(json.dumps(answer))
    else:
        click.echo(
            f"{counted(answer['bugs'], 'bug')}: {answer['added']} new, {answer['changed']} changed, "
            f"{answer['gone']} gone; {counted(answer['links'], 'link')} to test cases; "
            f"{answer['matched']} with tests in the store"
        )
    for line in (*answer["left_out"], *answer["warnings"]):
        click.echo(line, err=True)
    sys.exit(1 if answer["left_out"] else 0)


@click.command()
@SOURCE
@click.option("--since", help="Only builds that started at this ISO 8601 time (UTC) or later.")
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@json_option()
def rebuild(name: str | None, since: str | None, dry_run: bool, as_json: bool) -> None:
    """Write all tables again from the stored raw files, with today's parsers and rules.

    Counts the tests that get another identity, become one or are split; their old ids and addresses go on working.
    The sources of builds that came without a Jenkins are import and upload.

    Exit code 0: done; 2: the configuration or an option is wrong, or there is no store.

    \b
    Example: regtracker rebuild --dry-run
    """
    from ingest import importer
    from ingest.import_plan import read_moment
    from ingest.rebuild import rebuild as rebuild_store

    settings = require_store(load_settings())
    if name not in (None, *importer.SOURCES):
        chosen_sources(settings, name)
    try:
        moment = read_moment(since) if since else None
    except ValueError as error:
        fail(f"--since: {error}")
    tune_gc_for_batches()
    with opened_store(single_threaded(settings)) as store, progress_bar("Builds") as progress:
        changes = rebuild_store(store, name, moment, dry_run, progress)
    if as_json:
        click.echo(json.dumps(changes.document()))
        return
    would = "would be " if dry_run else ""
    click.echo(
        f"{counted(changes.builds, 'build')}, {counted(changes.results, 'result')} {would}rebuilt: "
        f"{changes.changed} {would}changed, "
        f"{changes.skipped} skipped (no raw files)"
    )
    if any((tests := changes.tests.counts()).values()):
        click.echo(
            "  tests: {renamed} {would}renamed, {merged} {would}merged into {into}, {split} {would}split".format(
                **tests, would=would
            )
        )
    for field, count in changes.fields.most_common():
        click.echo(f"  {field}: {counted(count, 'build')}")
    for example in (*changes.tests.examples(), *changes.examples):
        click.echo(f"  {example}")
