#!/usr/bin/env python3
"""Reads Prometheus' text format from standard input with Prometheus' own Python parser.

  metrics.py          prints {"types": {family: type}, "values": [[name, labels, value], …]} as JSON
  metrics.py names    … and checks that every metric used in Monitoring/ exists; prints the missing ones
  metrics.py rules    prints the dashboard's expressions as a rules file for promtool; reads nothing
"""
import json, pathlib, re, sys
from prometheus_client.parser import text_string_to_metric_families

monitoring = pathlib.Path(__file__).parent.parent.parent / "Monitoring"


def panels():
    dashboard = json.loads((monitoring / "pabal-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")


def alerts():
    import yaml

    for group in yaml.safe_load((monitoring / "pabal-alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


if sys.argv[1:] == ["rules"]:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(panels())]
    # JSON is valid YAML.
    print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    sys.exit()

families = list(text_string_to_metric_families(sys.stdin.read()))
if sys.argv[1:] == ["names"]:
    known = set()
    for family in families:
        known.add(family.name)
        if family.type == "counter":
            known.add(family.name + "_total")
        if family.type == "histogram":
            known.update(family.name + ending for ending in ("_bucket", "_sum", "_count"))
    expressions = list(panels()) + list(alerts())
    wanted = {name for text in expressions for name in re.findall(r"\b(?:pabal|process)_\w+", text)}
    print(json.dumps({"count": len(wanted), "missing": sorted(wanted - known)}))
    sys.exit()
print(
    json.dumps(
        {
            "types": {family.name: family.type for family in families},
            "values": [[s.name, s.labels, s.value] for family in families for s in family.samples],
        }
    )
)
