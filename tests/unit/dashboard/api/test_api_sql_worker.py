"""When the SQL worker dies, the client gets a problem document, the next query an answer, and no pipe stays open."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from data.sql_console.worker_process import WorkerProcess

pytestmark = pytest.mark.process

LONG = f"SELECT 1 -- {'x' * 90_000}"  # longer than a pipe holds
WIDE = f"SELECT '{'x' * 1_000}' FROM range(1000)"  # an answer that is longer, too


def pipes() -> set[str]:
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if os.path.lexists(link) and os.readlink(link).startswith("pipe:")}


@pytest.fixture
def fresh(server) -> Iterator[set[str]]:
    """A server without a worker; gives the pipes that it has open then."""
    sandbox = server.extensions["regtracker_sandbox"]
    sandbox.close()
    yield pipes()
    sandbox.close()


def kill(worker: WorkerProcess) -> None:
    os.kill(worker.pid, 9)
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)


def before_the_start(monkeypatch) -> None:
    """It dies before it has its limits."""
    replace(monkeypatch, "send", lambda worker, send, message: (kill(worker), send(worker, message)))


def while_it_starts(monkeypatch) -> None:
    """It dies after it was sent its limits, before it is ready."""
    replace(monkeypatch, "send", lambda worker, send, message: (send(worker, message), kill(worker)))


def between_start_and_query(monkeypatch) -> None:
    def send(worker, original, message):
        if "sql" in message:
            kill(worker)
        original(worker, message)

    replace(monkeypatch, "send", send)


def during_the_write(monkeypatch) -> None:
    def send(worker, original, message):
        if "sql" in message:
            os.kill(worker.pid, 19)  # SIGSTOP: it reads nothing, so that the write fills the pipe and waits
            threading.Timer(0.3, os.kill, [worker.pid, 9]).start()
        original(worker, message)

    replace(monkeypatch, "send", send)


def before_the_answer(monkeypatch) -> None:
    def receive(worker, original):
        kill(worker)
        while worker._process.stdout.read1(1 << 16):
            pass  # whatever it had written
        return original(worker)

    replace(monkeypatch, "receive", receive)


def during_the_answer(monkeypatch) -> None:
    def receive(worker, original):
        worker._process.stdout.peek(1)  # the answer has begun, and is longer than the pipe
        kill(worker)
        return original(worker)

    replace(monkeypatch, "receive", receive)


def replace(monkeypatch, method: str, by) -> None:
    original = getattr(WorkerProcess, method)
    monkeypatch.setattr(WorkerProcess, method, lambda worker, *arguments: by(worker, original, *arguments))


@pytest.mark.parametrize(
    ("death", "sql", "status"),
    [
        (before_the_start, "SELECT 1", 503),
        (while_it_starts, "SELECT 1", 503),
        (between_start_and_query, "SELECT 1", 503),
        (during_the_write, LONG, 503),
        (before_the_answer, "SELECT 1", 400),
        (during_the_answer, WIDE, 400),
    ],
)
def test_a_worker_that_dies_is_a_problem_document_and_is_replaced(fresh, ask, monkeypatch, death, sql, status):
    with monkeypatch.context() as patched:
        death(patched)
        answer = ask(sql)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert pipes() == fresh, answer.text
    assert ask("SELECT 42").json["rows"] == [[42]]


def test_an_idle_worker_that_died_is_replaced(fresh, ask, monkeypatch):
    workers = []
    replace(monkeypatch, "receive", lambda worker, original: workers.append(worker) or original(worker))
    assert ask("SELECT 1").status_code == 200
    kill(workers[0])
    assert ask("SELECT 42").json["rows"] == [[42]]
    assert workers[0].pid != workers[1].pid and len(pipes() - fresh) == 2


def test_a_process_that_the_system_refuses_is_a_503(fresh, ask, monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError("Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr("subprocess.Popen", refuse)
        answer = ask("SELECT 1")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert pipes() == fresh and ask("SELECT 42").json["rows"] == [[42]]


def test_a_fault_while_an_answer_is_read_does_not_spoil_the_next(fresh, ask, server, monkeypatch):
    """The rest of a broken-off answer must not be taken for the answer to another query."""

    def receive(worker, original):
        raise MemoryError

    with monkeypatch.context() as patched:
        replace(patched, "receive", receive)
        with pytest.raises(MemoryError):
            server.extensions["regtracker_sandbox"].query("SELECT 1")
    assert pipes() == fresh and ask("SELECT 42").json["rows"] == [[42]]


def test_a_worker_that_is_slow_to_start_serves_the_next_query(fresh, ask, monkeypatch):
    started = []
    start = WorkerProcess.__init__
    monkeypatch.setattr(
        WorkerProcess, "__init__", lambda worker, *limits: started.append(worker) or start(worker, *limits)
    )
    with monkeypatch.context() as patched:
        patched.setattr("data.sql_console.sandbox.START_S", 0.001)
        answers = [ask("SELECT 1").status_code for _ in range(2)]
    assert answers == [503, 503]
    assert ask("SELECT 42").json["rows"] == [[42]] and len(started) == 1


def test_a_worker_that_never_gets_ready_is_given_up(fresh, ask, monkeypatch):
    monkeypatch.setattr("data.sql_console.sandbox.START_LIMIT_S", 0.001)
    assert ask("SELECT 1").status_code == 503 and pipes() == fresh
