"""Words the simulated product is made of: modules, what they test, and the people who commit.

The names are invented; only their shapes matter (suffixes in build_map keys, owners in paths, parametrised names).
"""

from __future__ import annotations

# build_map key, name after the suffix rules, short name in log file names, areas under test
MODULES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("ROUTING_MODULE_ESXI", "routing", "rt", ("bgp", "ospf", "static", "vrf", "ecmp", "route_map")),
    ("PARTNER-GATEWAY_ESXI", "partner_gateway", "pg", ("handoff", "tunnel", "tenant", "bgp_peer", "failover", "mtu")),
    ("IPV6", "ipv6", "v6", ("addressing", "neighbor", "slaac", "transition", "dhcpv6", "mld")),
    ("BUSINESS_POLICY_ESXI", "business_policy", "bp", ("pbnat", "match", "steering", "backhaul", "app_id", "dscp")),
    ("NVS_MODULE", "nvs", "nvs", ("catalog", "sync", "snapshot", "restore", "quota", "audit")),
    ("FIREWALL_ESXI", "firewall", "fw", ("stateful", "zones", "rules", "logging", "syn_flood", "alg")),
    ("QOS_MODULE", "qos", "qos", ("shaping", "queueing", "policing", "marking", "link_steering", "fec")),
    ("HIGH_AVAILABILITY_ESXI", "high_availability", "ha", ("heartbeat", "split_brain", "failback", "state_sync")),
    ("VPN_ESXI", "vpn", "vpn", ("ipsec", "ikev2", "rekey", "certificates", "dynamic_mesh", "hub")),
    ("NAT_MODULE", "nat", "nat", ("snat", "dnat", "one_to_one", "port_range", "hairpin", "exhaustion")),
    ("DHCP", "dhcp", "dh", ("relay", "lease", "options", "reservation", "server", "snooping")),
    ("MULTICAST_ESXI", "multicast", "mc", ("pim", "igmp", "rp_election", "mroute", "boundary", "scale")),
    ("TELEMETRY_MODULE", "telemetry", "tl", ("netflow", "snmp", "syslog", "streaming", "counters", "events")),
    ("LICENSING", "licensing", "lic", ("grace", "entitlement", "renewal", "offline", "tiers", "overuse")),
    ("UPGRADE_ESXI", "upgrade", "up", ("rollback", "image", "precheck", "orchestrated", "hotfix", "schema")),
    ("CLUSTER_MODULE", "cluster", "cl", ("join", "rebalance", "leader", "drain", "scale_out", "quorum")),
    ("SEGMENTATION_ESXI", "segmentation", "seg", ("profiles", "isolation", "inter_segment", "vlan", "macsec")),
    ("WIRELESS", "wireless", "wl", ("ssid", "radius", "roaming", "captive_portal", "channels", "mesh")),
    ("DNS_MODULE", "dns", "dns", ("proxy", "cache", "conditional", "dnssec", "failover", "split")),
    ("ORCHESTRATOR_ESXI", "orchestrator", "orc", ("inventory", "templates", "roles", "api", "alarms", "backup")),
)

TOPOLOGIES = ("5s", "3s", "3s_ipv6", "5s_ha", "1s")

TOPICS = (
    "basic",
    "scale",
    "failover",
    "negative",
    "counters",
    "config",
    "timers",
    "soak",
    "interop",
    "policy",
    "events",
    "api",
    "reload",
    "stress",
)
VERBS = (
    "add",
    "remove",
    "verify",
    "flap",
    "restart",
    "update",
    "reject",
    "restore",
    "move",
    "limit",
    "export",
    "import",
)
OBJECTS = (
    "neighbor",
    "route",
    "session",
    "tunnel",
    "interface",
    "profile",
    "counter",
    "certificate",
    "default_gateway",
    "flow",
    "segment",
    "rule",
    "lease",
    "peer",
    "uplink",
    "overlay_path",
    "cache_entry",
    "device_clock",
)
PARAMETERS = (
    ("ipv4", "ipv6"),
    ("5-site", "3-site"),
    ("tcp-1500", "udp-9000", "icmp-64"),
    ("a::b", "a::c"),
    ("active", "standby"),
    ("src<10 & dst>20", 'label "x"'),
)

AUTHORS = (
    ("Ada Berg", "ada.berg"),
    ("Bilal Chen", "bilal.chen"),
    ("Carla Dias", "carla.dias"),
    ("Dmitri Evans", "dmitri.evans"),
    ("Esi Fofana", "esi.fofana"),
    ("Farid Gomez", "farid.gomez"),
    ("Greta Håkansson", "greta.hakansson"),
    ("Hiro Ito", "hiro.ito"),
)
CHANGES = (
    "shorten the hold timer when a link goes down",
    "keep the session table across a reload",
    "stop leaking descriptors on reconnect",
    "read limits from the profile, not from the defaults",
    "rework locking around the forwarding table",
    "log the peer address on every state change",
    "accept prefixes longer than /64",
    "retry the handshake once before giving up",
    "move counters to 64 bits",
    "tidy the template parser",
    "raise the scale limit to 4096",
    "cache resolved names for 30 s",
)
