"""Which builds form a run: one class per `layout` of a source."""

from data.settings import SourceSettings
from ingest.layouts.folder import FolderLayout, MultibranchLayout, ViewLayout
from ingest.layouts.job import JobLayout
from ingest.layouts.orchestrator import OrchestratorLayout

_LAYOUTS = {
    "job": JobLayout,
    "orchestrator": OrchestratorLayout,
    "folder": FolderLayout,
    "view": ViewLayout,
    "multibranch": MultibranchLayout,
}


def layout_of(source: SourceSettings) -> JobLayout:
    return _LAYOUTS[source.layout](source)
