"""The verbs about what is not polled: files, the bug feed, and the raw files that were kept. `--json` prints one object
(or one a line) and nothing else on standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from data.cli.common import fail, json_option, load_settings, opened_store, require_store
from ingest.cli.progress import SOURCE, ProgressBar, chosen_sources, progress, single_threaded, tune_gc_for_batches


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option("One JSON object a line, for each file,")
def parse(files: tuple[Path, ...], as_json: bool) -> None:
    """Read report files without storing anything: one line a file.

    Status is ok, recovered (ill-formed, but read), not_junit or error. Failed includes errors.

    Exit code 0: all were read; 1: a file had the status error.

    \b
    Example: regtracker parse build/reports/*.xml --json
    """
    from ingest.build_results import has_reruns
    from ingest.parsers import parse_file
    from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report

    worst = 0
    for file in files:
        try:
            with file.open("rb") as stream:
                _, report = parse_file(file.name, stream)
        except OSError as error:
            report = Report("error", warnings=[f"cannot be read: {error.strerror}"])
        worst |= report.status == "error"
        answer = {
            "file": str(file),
            "status": report.status,
            "tests": report.tests,
            "passed": report.count(PASSED),
            "failed": report.count(FAILED),
            "errors": report.errors,
            "skipped": report.count(SKIPPED),
            "suites": report.suites,
            "duration": report.duration_s,
            "warnings": report.warnings,
        }
        if attempts := has_reruns(report):
            tests = answer["tests"] - attempts
            report.warnings.append(
                f"{attempts} of the results count as earlier attempts of a retry: tests in the store: {tests}"
            )
        if as_json:
            click.echo(json.dumps(answer))
        else:
            text = (
                "{file}: {status}, {tests} tests, {passed} passed, {failed} failed ({errors} errors), {skipped} skipped"
            )
            click.echo("; ".join([text.format(**answer), *report.warnings]))
    sys.exit(worst)


@click.command("import")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--release", help="Release line that was tested, such as 7.0.")
@click.option("--module", help="Module that the tests belong to.")
@click.option(
    "--build", "number", type=click.IntRange(min=1), help="Build number; modules with one number form one run."
)
@click.option("--started-at", help="ISO 8601; default: the newest time in the reports, else of the files.")
@click.option("--version", help="Full version that was tested, such as 7.0.1.12.")
@click.option("--environment", default="default", show_default=True, help="Where it was tested.")
@click.option("--metadata", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="CSV of test metadata.")
@json_option("One JSON object a line, for each build and for each path that is left out,")
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
    """Store results without a Jenkins: report files, folders and zips, of any kind that is known.

    All paths together are one build, and each file counts once, however many of them lead to it. Zips in folders are
    read too; what looks like results and is left alone is told. A folder laid out as RELEASE/MODULE/NUMBER/... holds
    one build per NUMBER, and needs neither --release nor --module. The same files under the same names are the same
    build, however often they come.

    --metadata reads priorities and ids of tests from a CSV with the column testcase_name and any of test_case_id,
    priority, testrail_id, component, owner, topology, test_state; for one --release, or for all.

    Exit code 0: all was stored; 1: some could not be read, the rest was stored; 2: the configuration or an option is
    wrong.

    \b
    Example: regtracker import build/reports --release 7.0 --module routing --build 812
             regtracker import logs/            # logs/7.0/routing/41/junit/5s/report.xml
             regtracker import --metadata tests.csv
    """
    from ingest import importer
    from ingest.metadata_csv import import_metadata
    from ingest.report_files import reports

    settings = load_settings()
    if not paths and not metadata:
        fail("Nothing to import: name report files, folders or zips, or --metadata FILE.csv.")
    answers = []
    failed = False
    tune_gc_for_batches()
    with opened_store(single_threaded(settings)) as store:
        if metadata:
            try:
                answers.append(import_metadata(store, metadata, None if paths else release))
            except ValueError as error:
                fail(f"{metadata}: {error}")
        try:
            wanted = importer.plan(
                paths, release, module, number, started_at and importer.read_moment(started_at), version, environment
            )
            beside = importer.left_over(paths, wanted)
        except (ValueError, OSError) as error:
            fail(error)
        answers += [
            {"paths": [str(path)], "skipped_because": "lies in no folder RELEASE/MODULE/NUMBER"} for path in beside
        ]
        with progress(wanted, "Importing") as builds:
            for key, given in builds:
                try:
                    with reports(given) as handed:
                        failed |= bool(handed.unreadable)
                        answers += [{"paths": [path], "error": why} for path, why in handed.unreadable]
                        if handed.files or not handed.unreadable:
                            build = importer.import_files(store, key, handed)
                            answers.append(importer.summary(build, len(handed.files)))
                            failed |= "unreadable" in build.flags
                except (ValueError, OSError) as error:
                    failed = True
                    answers.append({"paths": [str(path) for path in given], "error": str(error)})
    for answer in answers:
        if as_json:
            click.echo(json.dumps(answer))
        if why := answer.get("error") or answer.get("skipped_because"):
            click.echo(f"{', '.join(answer['paths'])}: {why}", err=True)
        elif not as_json:
            click.echo(_sentence(answer))
    sys.exit(1 if failed else 0)


def _sentence(answer: dict[str, Any]) -> str:
    if "rows" in answer:
        return "{file}: {rows} tests, {added} new, {changed} changed".format(**answer)
    text = "{release} {module} #{number}: {total} tests, {passed} passed, {failed} failed, {skipped} skipped"
    return "; ".join([text.format(**answer), *answer["warnings"]])


@click.command()
@click.argument("feeds", nargs=-1, metavar="[FILE_OR_URL]...")
@json_option()
def bugs(feeds: tuple[str, ...], as_json: bool) -> None:
    """Read the bug tracker's feed: which bugs there are, and which test cases each is about.

    A feed is JSON as docs/ingest.md shows it; several files and addresses are one feed, and without any the url of
    [bugs] in the configuration is asked, with the user of [bugs] and REGTRACKER_BUGS_TOKEN. What stood in the feed
    before and does not any more is kept, as gone. The same feed again changes nothing.

    Exit code 0: all was stored; 1: some records could not be used, the rest was stored; 2: a feed cannot be used, or
    the configuration is wrong, and nothing was changed.

    \b
    Example: regtracker bugs https://tracker.example.com/export/bugs.json
             regtracker bugs bugs.json --json
    """
    from ingest.bug_feed import FeedError, import_bugs

    settings = load_settings()
    wanted = feeds or ((settings.bugs.url,) if settings.bugs.url else ())
    if not wanted:
        fail("No feed: name a file or an address, or set url in [bugs] of the configuration.")
    bar = ProgressBar("kB")
    with opened_store(single_threaded(settings)) as store:
        try:
            answer = import_bugs(store, wanted, settings.bugs, bar)
        except FeedError as error:
            fail(error)
        finally:
            bar.end()
    if as_json:
        click.echo(json.dumps(answer))
    else:
        click.echo(
            "{bugs} bugs: {added} new, {changed} changed, {gone} gone; {links} links to test cases, {matched} bugs are "
            "about tests that are known here".format(**answer)
        )
    for line in (*answer["left_out"], *answer["warnings"]):
        click.echo(line, err=True)
    sys.exit(1 if answer["left_out"] else 0)


@click.command()
@SOURCE
@click.option("--since", help="Only builds that began at this ISO 8601 time (UTC) or later.")
@click.option("--dry-run", is_flag=True, help="Only tell what would change.")
@json_option()
def rebuild(name: str | None, since: str | None, dry_run: bool, as_json: bool) -> None:
    """Derive every table anew from the raw files that were kept, by today's parsers and rules.

    What came in without Jenkins has the sources import and upload.

    Exit code 0: done; 2: the configuration or an option is wrong, or there is no store.

    \b
    Example: regtracker rebuild --dry-run
    """
    from ingest import importer
    from ingest.importer import read_moment
    from ingest.rebuild import rebuild as derive_anew

    settings = require_store(load_settings())
    if name not in (None, *importer.SOURCES):
        chosen_sources(settings, name)
    try:
        moment = read_moment(since) if since else None
    except ValueError as error:
        fail(f"--since: {error}")
    bar = ProgressBar("builds")
    tune_gc_for_batches()
    with opened_store(single_threaded(settings)) as store:
        changes = derive_anew(store, name, moment, dry_run, bar)
    bar.end()
    if as_json:
        click.echo(json.dumps(changes.document()))
        return
    would = "would be " if dry_run else ""
    click.echo(
        f"{changes.builds} builds, {changes.results} results {would}derived anew: {changes.changed} {would}changed, "
        f"{changes.skipped} left as they are (nothing was kept of them)"
    )
    for field, count in changes.fields.most_common():
        click.echo(f"  {field}: {count} builds")
    for example in changes.examples:
        click.echo(f"  {example}")
