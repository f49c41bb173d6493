"""Hand one of Snakemake's job scripts to Kubernetes, and ask how it is: what profiles/kubernetes calls.

usage: pod.py submit --image IMAGE --claim CLAIM --mount DIR --cpus N --memory-mb N --minutes N SCRIPT    prints the job's name
       pod.py status NAME                                                                       prints running, success or failed
It talks to Kubernetes by `kubectl` alone. The job is not tried again by Kubernetes: Snakemake does, and asks for more.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# What a stage is told by its environment, beside what the image says.
TOLD = "CLUSTERING_"
LABEL = {"app": "store-clustering"}
# Seconds that a job is kept after its end, so that its log can be read.
KEPT = 86_400


def manifest(args: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, Any]:
    """The job of one script: in the folder that this is called in, by the user who calls it, with what the rule asks for."""
    # Both a promise and a limit: a stage that takes more memory is ended, and tried again with more.
    amount = {"cpu": str(args.cpus), "memory": f"{args.memory_mb}M"}
    container = {
        "name": "stage",
        "image": args.image,
        "command": ["/bin/sh", str(args.script.resolve())],
        "workingDir": str(Path.cwd()),
        "env": [{"name": name, "value": value} for name, value in sorted(environment.items()) if name.startswith(TOLD)],
        "resources": {"requests": amount, "limits": amount},
        "volumeMounts": [{"name": "projects", "mountPath": str(args.mount)}],
    }
    pod = {
        "restartPolicy": "Never",
        "securityContext": {"runAsUser": os.getuid(), "runAsGroup": os.getgid()},
        "containers": [container],
        "volumes": [{"name": "projects", "persistentVolumeClaim": {"claimName": args.claim}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "store-clustering-", "labels": LABEL},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 60 * args.minutes,
            "ttlSecondsAfterFinished": KEPT,
            "template": {"metadata": {"labels": LABEL}, "spec": pod},
        },
    }


def submit(args: argparse.Namespace) -> str:
    """Make the job. Returns its name, such as job.batch/store-clustering-x7k2p."""
    return kubectl("create", "--filename", "-", "--output", "name", given=json.dumps(manifest(args, os.environ)))


def status(args: argparse.Namespace) -> str:
    """How a job is, in Snakemake's words. One that is gone has failed: nothing says that it ended well."""
    text = kubectl("get", args.name, "--ignore-not-found", "--output", "json")
    found = json.loads(text)["status"].get("conditions", []) if text else [{"type": "Failed", "status": "True"}]
    ended = {condition["type"] for condition in found if condition["status"] == "True"}
    return "success" if "Complete" in ended else "failed" if "Failed" in ended else "running"


def kubectl(*words: str, given: str | None = None) -> str:
    """What kubectl says; where it fails this program ends as it did, and its words are on stderr."""
    done = subprocess.run(["kubectl", *words], input=given, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.strip()


def main(argv: Sequence[str] | None = None) -> None:
    """Do what is asked, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(required=True)
    new = tasks.add_parser("submit")
    for name in ("--image", "--claim"):
        new.add_argument(name, required=True)
    new.add_argument("--mount", required=True, type=Path)
    for name in ("--cpus", "--memory-mb", "--minutes"):
        new.add_argument(name, required=True, type=int)
    new.add_argument("script", type=Path)
    new.set_defaults(task=submit)
    known = tasks.add_parser("status")
    known.add_argument("name")
    known.set_defaults(task=status)
    args = parser.parse_args(argv)
    print(args.task(args))


if __name__ == "__main__":
    main()
