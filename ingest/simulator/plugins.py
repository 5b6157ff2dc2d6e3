"""The installed plugins, as the plugin manager exports them."""

from __future__ import annotations

from ingest.simulator.tree_query import ExportedBean, Properties

# short name: (long name, version, short names of those it needs)
PLUGINS = {
    "cloudbees-folder": ("Folders Plugin", "6.1026.ve06c9c6a_2c67", ()),
    "git": ("Git plugin", "5.7.0", ("workflow-api",)),
    "junit": ("JUnit Plugin", "1369.v15da_00283f06", ("workflow-api",)),
    "matrix-project": ("Matrix Project Plugin", "849.v0cd64ed7e531", ("junit",)),
    "workflow-api": ("Pipeline: API", "1384.vdc05a_48f535f", ()),
    "workflow-job": ("Pipeline: Job", "1540.v295eccc9778f", ("workflow-api",)),
    "workflow-multibranch": ("Pipeline: Multibranch", "821.vc3b_4ea_780798", ("cloudbees-folder", "workflow-job")),
}


def find(path: list[str]) -> ExportedBean | None:
    """What is at `path` below /pluginManager/: the manager itself, or `plugin/NAME`."""
    if not path:
        plugins = [_plugin(name) for name in PLUGINS]
        return ExportedBean("hudson.LocalPluginManager", {"plugins": plugins}, visibility=1)
    if len(path) == 2 and path[0] == "plugin" and path[1] in PLUGINS:
        return _plugin(path[1], "hudson.PluginWrapper")
    return None


def _plugin(name: str, kind: str = "") -> ExportedBean:
    long_name, version, needed = PLUGINS[name]
    dependencies = [
        ExportedBean("", {"optional": False, "shortName": other, "version": PLUGINS[other][1]}, visibility=1)
        for other in needed
    ]
    properties: Properties = {
        "active": True,
        "backupVersion": None,
        "bundled": False,
        "deleted": False,
        "dependencies": dependencies,
        "detached": False,
        "downgradable": False,
        "enabled": True,
        "hasUpdate": False,
        "longName": long_name,
        "minimumJavaVersion": "17",
        "pinned": False,
        "requiredCoreVersion": "2.479.3",
        "shortName": name,
        "supportsDynamicLoad": "MAYBE",
        "url": f"https://plugins.jenkins.io/{name}",
        "version": version,
    }
    return ExportedBean(kind, properties, visibility=1)
