"""Lints the chart, renders it with several values, and holds the result against the schemas of Kubernetes."""

import pathlib
import sys

import kubernetes_validate
import yaml
from helm_python import chart

CHART = str(pathlib.Path(__file__).parent / "backup")

# The oldest Kubernetes that the chart takes, and the newest that there are schemas of.
VERSIONS = ["1.25.0", "1.37"]

GOOD = {
    "defaults": {},
    "everything": {
        "settings": {"DATABASE_HOST": "db", "BACKUP_BASE_PATH": "/backup/", "BACKUP_QUOTA_GB": 1000000},
        "imagePullSecrets": [{"name": "registry"}],
        "uploads": {"claim": "uploads", "readOnly": False},
        "dataClaim": "data",
        "serviceAccount": {"annotations": {"azure.workload.identity/client-id": "1"}},
        "podLabels": {"azure.workload.identity/use": "true"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "networkPolicy": {
            "clients": [{"podSelector": {}}],
            "monitoring": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
        },
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    },
    "small": {
        "uploads": {"claim": "uploads"},
        "server": {"replicas": 1},
        "scheduler": {"replicas": 1},
        "networkPolicy": {"enabled": False},
        "serviceAccount": {"name": "mine"},
    },
}

BAD = {
    "a secret among the settings": {"settings": {"DATABASE_PASSWORD": "x"}},
    "a storage's key among the settings": {"settings": {"AWS_SECRET_ACCESS_KEY": "x"}},
    "a misspelt name": {"setings": {}},
    "no secret": {"secretName": ""},
}


def documents(values):
    """What the chart makes of these values."""
    rendered = chart.Chart.load(CHART).render(values, name="prod", namespace="backup")
    for file, text in sorted(rendered.items()):
        if file.endswith(".yaml"):
            yield from filter(None, yaml.safe_load_all(text))


def check_pods(document):
    """What a pod must be like, whatever the values."""
    if document["kind"] != "Deployment":
        return
    pod = document["spec"]["template"]["spec"]
    # Kubernetes' own variables of services, such as DATABASE_PORT, would be taken for ours.
    assert pod["enableServiceLinks"] is False, document
    # Where the Secret has none, no pod starts: none falls back to a catalog in a folder that goes with it.
    variables = {variable["name"]: variable for variable in pod["containers"][0]["env"]}
    catalog = variables["CATALOG_URL"]["valueFrom"]["secretKeyRef"]
    assert catalog["key"] == "CATALOG_URL" and not catalog.get("optional"), document
    # The default storage lies in the data folder. Where that goes with the pod, nothing may be taken for stored there.
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    storage = mounts.get("/var/lib/backup/storage", mounts["/var/lib/backup"])
    is_kept = "persistentVolumeClaim" in volumes[storage["name"]]
    assert is_kept or storage.get("readOnly"), document
    # kubelet gives what may be written to fsGroup, and so the files of the running application.
    if uploads := volumes.get("uploads"):
        mount = next(mount for mount in mounts.values() if mount["name"] == "uploads")
        assert uploads["persistentVolumeClaim"]["readOnly"] == mount["readOnly"], document


def main():
    """Prints what was made, and fails where something is wrong."""
    for name, values in GOOD.items():
        errors = chart.lint(CHART, values, strict=True)["errors"]
        assert not errors, errors
        kinds = []
        for document in documents(values):
            kinds.append(document["kind"])
            check_pods(document)
            # The operator's own kinds have no schema here.
            if not document["apiVersion"].startswith("monitoring.coreos.com/"):
                for version in VERSIONS:
                    kubernetes_validate.validate(document, version, strict=True)
        print(f"{name}: {', '.join(sorted(kinds))}")
    for name, values in BAD.items():
        try:
            list(documents(values))
        except Exception as refusal:  # The library has one error for everything; its text says which.
            assert "schema" in str(refusal), refusal
        else:
            sys.exit(f"not refused: {name}")


main()
