#!/usr/bin/env python3
"""Reads lines of the page "Point your application at Pabal" whose applications no test runs.

application_lines.py APPLICATION PAGE

Prints the settings as JSON, under the names that the application gives them. GitLab's lines are run by Ruby and Laravel's
by a shell; those of Keycloak are split as a shell does, and those of Spring and Grafana are read by configparser.
"""
import configparser
import json
import re
import shlex
import subprocess
import sys


def lines(page, heading):
    """The first block of code under a heading of the page."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", open(page).read(), re.S | re.M)
    return re.search(r"^```[a-z]*\n(.*?)^```$", section[1], re.S | re.M)[1]


def run(*command, content):
    return subprocess.run(command, input=content, capture_output=True, check=True, text=True).stdout


def sections(text):
    parser = configparser.RawConfigParser(delimiters=("=",), strict=True)
    parser.optionxform = str  # names are case-sensitive
    parser.read_string(text)
    return parser


def of_laravel(text):
    environment = run("env", "-i", "/bin/sh", "-c", 'set -aeu; eval "$(cat)"; env', content=text)
    variables = dict(line.split("=", 1) for line in environment.splitlines())
    return {name: value for name, value in variables.items() if name.startswith("MAIL_")}


def of_spring(text):
    return dict(sections("[properties]\n" + text)["properties"])


def of_grafana(text):
    return {name: value.removeprefix('"""').removesuffix('"""') for name, value in sections(text)["smtp"].items()}


def of_keycloak(text):
    program, verb, realm, *options = shlex.split(text.replace("\\\n", " "))
    assert (program, verb, realm) == ("kcadm.sh", "update", "realms/REALM")
    assert options[::2] == ["-s"] * (len(options) // 2)
    return dict(option.split("=", 1) for option in options[1::2])


def of_gitlab(text):
    program = "require 'json'; gitlab_rails = {}; eval($stdin.read); puts JSON.generate(gitlab_rails)"
    return {name: str(value).replace("True", "true") for name, value in json.loads(run("ruby", "-e", program, content=text)).items()}


readers = {"Laravel": of_laravel, "Spring": of_spring, "Grafana": of_grafana, "Keycloak": of_keycloak, "GitLab": of_gitlab}
application, page = sys.argv[1:]
print(json.dumps(readers[application](lines(page, application))))
