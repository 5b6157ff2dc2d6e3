"""The nodes: the controller, which runs only what needs no executor, and the agents with the builds on them."""

from __future__ import annotations

from collections.abc import Callable

from ingest.simulator.artifacts import AGENTS
from ingest.simulator.build_json import FLYWEIGHT
from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsFolder, JenkinsJob
from ingest.simulator.json_api import Exporter
from ingest.simulator.tree_query import ExportedBean, ExportedMap, Properties

BUILT_IN = "Built-In Node"
BUILT_IN_PATHS = ("(built-in)", "(master)")
OFFLINE = f"agent-{AGENTS + 1:02d}"
NAMES = (*(f"agent-{number:02d}" for number in range(1, AGENTS + 1)), OFFLINE)
EXECUTORS = 8
STATISTICS = ("available", "busy", "connecting", "defined", "idle", "online", "total")
Running = list[tuple[JenkinsJob, JenkinsBuild]]


def find(root: JenkinsFolder, exporter: Exporter, path: list[str]) -> ExportedBean | None:
    """What is at `path` below /computer/: all nodes, one of them, or `NAME/executors/N`."""
    running = [(job, build) for job in root.jobs() for build in job.running(exporter.now)]
    if not path:
        return _all(root, exporter, running)
    if path[0] in BUILT_IN_PATHS:
        node = _controller(root, exporter, running)
    elif path[0] in NAMES:
        node = _agent(exporter, path[0], running)
    else:
        return None
    if len(path) == 1:
        return node
    executors = node.properties["executors"]
    assert isinstance(executors, list)
    if len(path) == 3 and path[1] == "executors" and path[2].isdigit() and int(path[2]) < len(executors):
        return ExportedBean("hudson.model.Executor", executors[int(path[2])].properties, visibility=1)
    return None


def _all(root: JenkinsFolder, exporter: Exporter, running: Running) -> ExportedBean:
    properties: Properties = {
        "busyExecutors": sum(job.kind not in FLYWEIGHT for job, _ in running),
        "computer": [_controller(root, exporter, running), *(_agent(exporter, name, running) for name in NAMES)],
        "displayName": "Nodes",
        "totalExecutors": AGENTS * EXECUTORS,
    }
    return ExportedBean("hudson.model.ComputerSet", properties, visibility=1)


def _controller(root: JenkinsFolder, exporter: Exporter, running: Running) -> ExportedBean:
    tasks = [_executor(exporter, -1, job, build) for job, build in running if job.kind in FLYWEIGHT]
    properties: Properties = _computer([], tasks, exporter.now, offline=False) | {
        "assignedLabels": [_label("built-in", lambda: [exporter.server(root)], [])],
        "description": "the Jenkins controller's built-in node",
        "displayName": BUILT_IN,
        "jnlpAgent": False,
        "launchSupported": True,
    }
    return ExportedBean("hudson.model.Hudson$MasterComputer", properties, visibility=1)


def _agent(exporter: Exporter, name: str, running: Running) -> ExportedBean:
    here = [pair for pair in running if pair[0].kind not in FLYWEIGHT and pair[1].agent == name]
    executors = [_executor(exporter, number, *pair) for number, pair in enumerate(here)]
    executors += [_idle(number) for number in range(len(executors), EXECUTORS)]
    node: Properties = {
        "assignedLabels": [{"name": "testbed"}, {"name": name}],
        "mode": "NORMAL",
        "nodeDescription": "",
        "nodeName": name,
        "numExecutors": EXECUTORS,
    }
    labels = [
        _label(label, lambda: [ExportedBean("hudson.slaves.DumbSlave", node, visibility=1)], here)
        for label in ("testbed", name)
    ]
    properties: Properties = _computer(executors, [], exporter.now, offline=name == OFFLINE) | {
        "assignedLabels": labels,
        "description": "",
        "displayName": name,
        "jnlpAgent": True,
        "launchSupported": False,
        "absoluteRemotePath": None if name == OFFLINE else "/var/lib/jenkins",
    }
    return ExportedBean("hudson.slaves.SlaveComputer", properties, visibility=1)


def _computer(executors: list[ExportedBean], tasks: list[ExportedBean], now: float, offline: bool) -> Properties:
    busy = [executor for executor in executors if not executor.properties["idle"]]
    icon = "computer-x" if offline else "computer"
    return {
        "actions": [ExportedBean("")],
        "executors": executors,
        "icon": f"{icon}.png",
        "iconClassName": f"icon-{icon}",
        "idle": not busy and not tasks,
        "loadStatistics": _statistics(),
        "manualLaunchAllowed": True,
        "monitorData": _monitors(offline, now),
        "numExecutors": len(executors),
        "offline": offline,
        "offlineCause": None,
        "offlineCauseReason": "",
        "oneOffExecutors": tasks,
        "temporarilyOffline": False,
    }


def _executor(exporter: Exporter, number: int, job: JenkinsJob, build: JenkinsBuild) -> ExportedBean:
    progress = int(100 * (exporter.now - build.started) / (build.ended - build.started))
    properties: Properties = {
        "currentExecutable": exporter.build(job, build),
        "idle": False,
        "likelyStuck": False,
        "number": number,
        "progress": progress,
    }
    return ExportedBean("", properties, visibility=1)


def _idle(number: int) -> ExportedBean:
    properties: Properties = {
        "currentExecutable": None,
        "idle": True,
        "likelyStuck": False,
        "number": number,
        "progress": -1,
    }
    return ExportedBean("", properties, visibility=1)


def _label(name: str, nodes: Callable[[], list[ExportedBean]], running: Running) -> ExportedBean:
    properties: Properties = {
        "actions": [ExportedBean("")],
        "busyExecutors": len(running),
        "clouds": [],
        "description": None,
        "idleExecutors": 0,
        "loadStatistics": _statistics(),
        "name": name,
        "nodes": nodes,
        "offline": False,
        "tiedJobs": [],
        "totalExecutors": len(running),
        "propertiesList": [],
    }
    return ExportedBean("", properties, visibility=1)


def _statistics() -> ExportedBean:
    times: Properties = {span: ExportedBean("") for span in ("hour", "min", "sec10")}
    names = [*(f"{name}Executors" for name in STATISTICS), "queueLength"]
    return ExportedBean("hudson.model.Label$1", {name: ExportedBean("", times, 1) for name in names}, visibility=1)


def _monitors(offline: bool, now: float) -> ExportedMap:
    """What the node monitors have measured; nothing of a node that is offline."""
    at = int(now // 60) * 60_000
    space = "DiskSpaceMonitorDescriptor$DiskSpace"
    measured: dict[str, tuple[str, Properties]] = {
        "SwapSpaceMonitor": (
            "SwapSpaceMonitor$MemoryUsage2",
            {
                "availablePhysicalMemory": 9 << 30,
                "availableSwapSpace": 2 << 30,
                "totalPhysicalMemory": 16 << 30,
                "totalSwapSpace": 2 << 30,
            },
        ),
        "TemporarySpaceMonitor": (space, {"timestamp": at, "path": "/tmp", "size": 50 << 30}),
        "DiskSpaceMonitor": (space, {"timestamp": at, "path": "/var/lib/jenkins", "size": 400 << 30}),
        "ResponseTimeMonitor": ("ResponseTimeMonitor$Data", {"timestamp": at, "average": 3}),
    }
    found: Properties = {
        f"hudson.node_monitors.{name}": None if offline else ExportedBean(f"hudson.node_monitors.{kind}", values)
        for name, (kind, values) in measured.items()
    }
    found["hudson.node_monitors.ArchitectureMonitor"] = None if offline else "Linux (amd64)"
    found["hudson.node_monitors.ClockMonitor"] = (
        None if offline else ExportedBean("hudson.util.ClockDifference", {"diff": 0})
    )
    return ExportedMap(found)
