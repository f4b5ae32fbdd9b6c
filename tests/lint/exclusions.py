"""Writes exclusions.txt as each linter wants it: into the folder that is named."""
import collections
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent


def exclusions():
    """The lines by tool. A line without a reason is refused."""
    found = collections.defaultdict(list)
    for number, line in enumerate((HERE / "exclusions.txt").read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        # " | " separates: a pattern has its bar without spaces
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) != 4 or not all(parts):
            sys.exit(f"exclusions.txt:{number}: want tool | rule | where | reason")
        found[parts[0]].append(parts[1:])
    if unknown := set(found) - {"staticcheck", "gosec", "checkov", "gitleaks"}:
        sys.exit(f"exclusions.txt: no such tools: {', '.join(sorted(unknown))}")
    return found


def baseline(lines):
    """checkov's list of findings that are known, each on one resource."""
    findings = [{"resource": where, "check_ids": [rule]} for rule, where, _ in lines if where != "*"]
    return json.dumps({"failed_checks": [{"file": "/template.yaml", "findings": findings}]})


def allowlist(lines):
    """gitleaks' settings: its own rules, and what they may find."""
    text = "[extend]\nuseDefault = true\n"
    for rule, where, reason in lines:
        kind = "paths" if rule == "path" else "regexes"
        text += f"\n[[allowlists]]\ndescription = '''{reason}'''\n{kind} = ['''{where}''']\n"
    return text


def main(folder):
    found = exclusions()
    for name, text in {
        "staticcheck": ",".join(["inherit"] + ["-" + rule for rule, _, _ in found["staticcheck"]]),
        "gosec": ";".join(f"{where}:{rule}" for rule, where, _ in found["gosec"]),
        "checkov": ",".join(rule for rule, where, _ in found["checkov"] if where == "*"),
        "checkov.baseline": baseline(found["checkov"]),
        "gitleaks.toml": allowlist(found["gitleaks"]),
    }.items():
        (folder / name).write_text(text)


main(pathlib.Path(sys.argv[1]))
