"""A faithful fake Jenkins with a deterministic regression programme behind it."""

from ingest.simulator.programme import Programme
from ingest.simulator.server import SimulatorServer, create_app
from ingest.simulator.sources import extra_sources, sources
from ingest.simulator.timeline import ProgrammeSize, ReleaseSpec

__all__ = ["Programme", "ProgrammeSize", "ReleaseSpec", "SimulatorServer", "create_app", "extra_sources", "sources"]
