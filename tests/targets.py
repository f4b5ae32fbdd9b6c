"""Prints docs/targets.md from what tests/targets.sh has recorded.

    targets.py FOLDER LEFT-OUT

A file of the folder is named "suite @ target" and has what the suite printed: the events of `go test -json`, or lines that
begin with ok or FAILED, or for a script that stops at its first failure its closing line. LEFT-OUT has a test and a reason
on each line; it applies to the conformance suite on ministack.
"""
import json
import pathlib
import sys

# The suites in the order of the table.
ORDER = ["acceptance", "conformance", "rules and stores", "stores", "events and HTTP"]


def go_tests(lines):
    """Counts the top-level tests, and returns the reasons of those that were skipped."""
    counts, output = {"pass": 0, "fail": 0, "skip": 0}, {}
    reasons = []
    for line in lines:
        if not line.startswith("{"):
            continue
        event = json.loads(line)
        test = event.get("Test")
        if not test or "/" in test:
            continue
        key = (event["Package"], test)
        if event["Action"] == "output":
            output.setdefault(key, []).append(event["Output"].strip())
        elif event["Action"] in counts:
            counts[event["Action"]] += 1
            if event["Action"] == "skip":
                said = [text for text in output.get(key, []) if ".go:" in text]
                reasons.append(f"`{test}`: {said[0].split(': ', 1)[1] if said else 'it says no reason'}")
    return counts, reasons


def checks(lines):
    """Counts the checks of a script: its ok and FAILED lines, or its closing line."""
    passed = sum(line.startswith(("ok ", "all expectations held")) for line in lines)
    return {"pass": passed, "fail": sum(line.startswith("FAILED") for line in lines), "skip": 0}, []


def row(path, left_out):
    suite, target = path.name.split(" @ ")
    lines = path.read_text(encoding="utf-8").splitlines()
    counts, reasons = go_tests(lines) if any(line.startswith('{"Time"') for line in lines) else checks(lines)
    if suite == "conformance" and target.startswith("ministack"):
        reasons += [f"`{test}`: {reason}" for test, reason in left_out]
        counts["skip"] += len(left_out)
    if not any(counts.values()):
        reasons.append("not run: " + (lines[-1] if lines else "no Docker engine, or another part is missing"))
    return f"| {suite} | {target} | {counts['pass']} | {counts['fail']} | {counts['skip']} | {'<br>'.join(reasons)} |"


def main():
    folder, listing = map(pathlib.Path, sys.argv[1:])
    left_out = [line.split("\t") for line in listing.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    paths = sorted((p for p in folder.iterdir() if " @ " in p.name),
                   key=lambda p: (ORDER.index(p.name.split(" @ ")[0]), p.name != p.name.replace("ministack", "z"), p.name))
    print("# Targets\n\n<!-- Made by `make targets`. -->\n")
    print("What runs where, as counted by the last `make targets`: tests of Go, or checks of a script.\n")
    print("| suite | target | passed | failed | left out | why |\n|---|---|---|---|---|---|")
    for path in paths:
        print(row(path, left_out))


main()
