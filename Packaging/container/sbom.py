#!/usr/bin/env python3
"""Writes the software bill of materials of the container image (SPDX 2.3, JSON).

sbom.py PABAL.deb FILE ...: FILE are those that were copied from this machine; their Debian packages are listed.
"""
import datetime
import hashlib
import json
import os
import pathlib
import subprocess
import sys


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def package_of(path):
    """Returns the Debian package that installed a file; paths in /lib are in /usr/lib of a merged system."""
    for candidate in (path, path.removeprefix("/usr"), "/usr" + path):
        found = subprocess.run(["dpkg-query", "-S", candidate], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(": ")[0].split(",")[0].split(":")[0]
    # Made on this machine by its package.
    return {"/etc/ssl/certs/ca-certificates.crt": "ca-certificates"}[path]


def resolved(name, version, license, source):
    return {
        "SPDXID": "SPDXRef-" + "".join(c if c.isalnum() else "-" for c in name),
        "name": name, "versionInfo": version, "downloadLocation": source, "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION", "licenseDeclared": license, "copyrightText": "NOASSERTION",
    }


def main():
    package, *files = sys.argv[1:]
    name, version = output("dpkg-deb", "-W", "--showformat", "${Package} ${Version}", package).split()
    packages = [resolved(name, version, "NOASSERTION", "NOASSERTION")]
    for name in sorted({package_of(os.path.realpath(path)) for path in files}):
        version, source = output("dpkg-query", "-W", "-f", "${Version} ${source:Package}\n", name).splitlines()[0].split()
        entry = resolved(name, version, "NOASSERTION", f"https://deb.debian.org/debian/pool/main/{source[0]}/{source}")
        entry["externalRefs"] = [{
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
            "referenceLocator": f"pkg:deb/debian/{name}@{version}?distro=debian-12",
        }]
        packages.append(entry)
    digest = hashlib.sha256(pathlib.Path(package).read_bytes()).hexdigest()
    packages[0]["checksums"] = [{"algorithm": "SHA256", "checksumValue": digest}]
    created = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    root = packages[0]["SPDXID"]
    json.dump({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "pabal",
        "documentNamespace": f"https://spdx.org/spdxdocs/pabal-{digest}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: sbom.py"]},
        "packages": packages,
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": root},
            *({"spdxElementId": root, "relationshipType": "DEPENDS_ON", "relatedSpdxElement": entry["SPDXID"]}
              for entry in packages[1:]),
        ],
    }, sys.stdout, indent=1)


main()
