"""Who asks, and what they may do: read everything, change nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from hmac import compare_digest

from werkzeug.datastructures import Authorization

from ingest.simulator.build_json import raw_encode
from ingest.simulator.tree_query import ExportedBean, Properties

CRUMB_FIELD = "Jenkins-Crumb"
SESSION_COOKIE = "JSESSIONID.5f1d2c3b"
UNPROTECTED, CRUMB_ISSUER = "/whoAmI/", "/crumbIssuer/"
# Last segment of a path that changes something: the permission that it needs, as people and as headers name it
JOB_ACTIONS = {
    "build": ("Job/Build", "hudson.model.Item.Build"),
    "buildWithParameters": ("Job/Build", "hudson.model.Item.Build"),
    "config.xml": ("Job/Configure", "hudson.model.Item.Configure"),
    "disable": ("Job/Configure", "hudson.model.Item.Configure"),
    "doDelete": ("Job/Delete", "hudson.model.Item.Delete"),
    "enable": ("Job/Configure", "hudson.model.Item.Configure"),
    "kill": ("Job/Cancel", "hudson.model.Item.Cancel"),
    "stop": ("Job/Cancel", "hudson.model.Item.Cancel"),
    "submitDescription": ("Job/Configure", "hudson.model.Item.Configure"),
    "term": ("Job/Cancel", "hudson.model.Item.Cancel"),
    "toggleLogKeep": ("Run/Update", "hudson.model.Run.Update"),
}
READ_CONFIGURATION = ("Job/ExtendedRead", "hudson.model.Item.ExtendedRead")
SERVER_ACTIONS = {
    "cancelItem": ("Job/Cancel", "hudson.model.Item.Cancel"),
    "createItem": ("Job/Create", "hudson.model.Item.Create"),
    "createView": ("View/Create", "hudson.model.View.Create"),
    "doCreateItem": ("Agent/Create", "hudson.model.Computer.Create"),
    "quietDown": ("Overall/Administer", "hudson.model.Hudson.Administer"),
    "safeRestart": ("Overall/Administer", "hudson.model.Hudson.Administer"),
    "scriptText": ("Overall/Administer", "hudson.model.Hudson.Administer"),
    "toggleOffline": ("Agent/Disconnect", "hudson.model.Computer.Disconnect"),
}
ACTIONS = JOB_ACTIONS | SERVER_ACTIONS


@dataclass(frozen=True, slots=True)
class Visitor:
    """`user`: who has logged in, empty for anonymous visitors. `session`: the value of the session cookie, empty
    without one."""

    user: str
    session: str

    @property
    def name(self) -> str:
        return self.user or "anonymous"

    @property
    def crumb(self) -> str:
        return hashlib.sha256(f"crumb of {self.name} in {self.session}".encode()).hexdigest()


def may_log_in(given: Authorization, user: str, token: str) -> bool:
    """Whether these are the user's name and token, or password."""
    right_user = compare_digest((given.username or "").encode(), user.encode())
    return right_user and compare_digest((given.password or "").encode(), token.encode())


def find(visitor: Visitor, root_url: str, path: list[str]) -> ExportedBean | None:
    """What is at /whoAmI/, /me/, /user/NAME/ or /crumbIssuer/."""
    if path == ["crumbIssuer"]:
        properties: Properties = {"crumb": visitor.crumb, "crumbRequestField": CRUMB_FIELD}
        return ExportedBean("hudson.security.csrf.DefaultCrumbIssuer", properties, visibility=1)
    if path == ["whoAmI"]:
        properties = {
            "anonymous": not visitor.user,
            "authenticated": True,
            "authorities": ["authenticated" if visitor.user else "anonymous"],
            "name": visitor.name,
        }
        return ExportedBean("hudson.security.WhoAmI", properties, visibility=1)
    if visitor.user and path in (["me"], ["user", visitor.user]):
        properties = {
            "absoluteUrl": f"{root_url}user/{raw_encode(visitor.user)}",
            "description": None,
            "fullName": visitor.user,
            "id": visitor.user,
            "property": [ExportedBean("jenkins.security.ApiTokenProperty")],
        }
        return ExportedBean("hudson.model.User", properties, visibility=1)
    return None
