"""Failure texts: a dozen families of messages with tracebacks and captured output, as test frameworks print them.

The numbers and addresses in a message vary from failure to failure, its words do not: a tracker that groups failures
by message finds the families. Texts hold what breaks naive readers: colour codes, markup, entities, long dumps.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ingest.simulator.product_tests import ProductTest

ESCAPE = "\x1b"


@dataclass(frozen=True, slots=True)
class FailureText:
    """`trace` is the framework's long text, `output` what the test logged."""

    message: str
    trace: str
    output: str


# (exception, message, statement that raised it)
FAILURES = (
    ("AssertionError", "{noun} count {n} != {m}", "assert len(found) == expected"),
    ("AssertionError", "expected state 'Established', got 'Idle' after {n} s", "assert peer.state() == 'Established'"),
    ("TimeoutError", "timed out after {n} s waiting for {noun} on {ip}:{port}", "self.wait_for(condition, timeout)"),
    ("AssertionError", "packet loss {n}.{k}% exceeds 0.5% on link {ip} -> {peer}", "assert loss <= LIMIT"),
    ("KeyError", "'{noun}_id'", "return self.inventory[wanted]"),
    ("AssertionError", "latency p99 {n} ms above limit of {k} ms", "assert p99 < limit_ms"),
    ("ValueError", "could not parse output of 'show {noun} detail': unexpected token at line {k}", "parse(text)"),
    (
        "AssertionError",
        "banner is '<b>Login</b><script>alert({n})</script>' & not \"Welcome\"",
        "assert banner == want",
    ),
    ("AssertionError", "checksum mismatch: 0x{hex} != 0x{hex2}", "assert ours == theirs"),
    ("RuntimeError", "process {noun}d (pid {n}) on {ip} exited with signal 11", "self.dut.check_alive()"),
    ("AssertionError", "{ansi}FAIL{reset} {noun} missing in table {k}: [{ip}, {peer}]", "assert not missing"),
    ("AssertionError", "{noun} table differs from reference in {n} rows\n{dump}", "assert_same_table(got, want)"),
)
ERRORS = (
    ("ConnectionError", "fixture 'testbed': cannot open session to {ip}: [Errno 113] No route to host", "connect()"),
    ("LicenseError", "fixture 'licensed_edge': licence server answered {k}, none free for feature {noun}", "lease()"),
    (
        "SetupError",
        "fixture 'clean_config': rollback to checkpoint {n} failed: commit lock held by pid {port}",
        "reset()",
    ),
)
STORM = ("LabUnreachable", "lab controller 10.9.0.2:8443 refused the connection: maintenance mode", "controller.book()")
BAD_HOST = ("SSHException", "error reading SSH protocol banner from {ip} after {n} s", "transport.start_client()")


def failure_text(rng: Random, test: ProductTest, template: tuple[str, str, str], host: str) -> FailureText:
    """A failure of `test` on `host` (an address) after `template`; `rng` varies its numbers."""
    exception, message, statement = template
    noun = test.name.split("[")[0].rsplit("_", 1)[-1]

    def between(low: int, high: int) -> int:
        return low + int(rng.random() * (high - low))

    peer = f"192.168.{between(0, 256)}.{between(1, 255)}"
    values = {
        "n": between(11, 900),
        "m": between(1, 11),
        "k": between(10, 99),
        "port": between(1024, 60000),
        "hex": f"{rng.getrandbits(32):08x}",
        "hex2": f"{rng.getrandbits(32):08x}",
        "ip": host,
        "peer": peer,
        "noun": noun,
        "ansi": f"{ESCAPE}[1m{ESCAPE}[31m",
        "reset": f"{ESCAPE}[0m",
        "dump": "\n".join(
            f"  {row:3d}  10.{between(0, 256)}.{between(0, 256)}.0/24 via 10.0.{row}.1"
            for row in range(between(30, 90))
        )
        if "{dump}" in message
        else "",
    }
    text = f"{exception}: {message.format(**values)}"
    owner = f"self = <{test.class_name} object at 0x7f{rng.getrandbits(40):010x}>\n\n" if test.class_name else ""
    trace = (
        f"{owner}    def {test.name.split('[')[0]}({'self, ' if test.class_name else ''}dut, traffic):\n"
        f"        dut.apply(self.profile)\n"
        f">       {statement}\n\n"
        f"{test.file}:{test.line + 7}: \n"
        f"_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _\n\n"
        f"    def call(self, request):\n"
        f">       raise {exception}(reply.text)\n"
        + "".join(f"E       {line}\n" for line in text.split("\n"))
        + f"\nlib/testbed/session.py:{between(40, 400)}: {exception}"
    )
    output = (
        f"INFO  session {between(0, 10**6)} to {host} opened\n"
        f"{ESCAPE}[33mWARN{ESCAPE}[0m  {noun}: peer {peer} answered after {values['n']} ms\n"
        f'DEBUG tx <config-request id="{values["port"]}"/> & wait\n'
        f"ERROR {exception} in step 3 of 5\n"
    )
    return FailureText(text, trace, output)
