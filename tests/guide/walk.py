"""Walks the guides: runs their bash blocks in order, as one script, and compares what each prints.

    walk.py [GUIDE...]      all guides where none is named

TOKENIM_URL and TOKENIM_WS are the installation, TOKENIM_MAIL the list of its mails as JSON (local/mailbox says in which
form). A guide signs up a developer of its own.

A json or text block is what the bash block before it prints. A text is compared whole; of JSON, every line of the output
that is an object. In a text "…" stands for anything, as a member's name for further members. A time in the guide stands for
any time. All else has to be the same, but for the order of lists, which is as a rule that of IDs.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "docs" / name for name in
          ("guide.md", "guide.zh-CN.md", "guide-authorization.md", "guide-authorization.zh-CN.md",
           "guide-groups.md", "guide-groups.zh-CN.md", "guide-users.md", "guide-users.zh-CN.md",
           "guide-media.md", "guide-media.zh-CN.md", "guide-messages.md", "guide-messages.zh-CN.md")]
LIMIT = 300  # seconds that a guide may take
AT_ONCE = 4  # guides; each mostly waits for what it asked
MARK = "=====block "
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# What the guide's reader has not set either.
HIDDEN = {"EMAIL", "COLLEAGUE", "PASSWORD", "TOKENIM_API_KEY"}


def read(path):
    """Returns the bash blocks of a guide as [first line, lines, expected language, expected text]."""
    blocks, language, start = [], None, 0
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if language is None:
            language, start = line[3:], number + 1
            continue
        inside = lines[start - 1:number - 1]
        if language == "bash":
            blocks.append([start, inside, None, ""])
        elif language in ("json", "text"):
            if not blocks or blocks[-1][2]:
                sys.exit(f"{path.name}:{start}: no bash block prints this")
            blocks[-1][2:] = language, "\n".join(inside)
        language = None
    return blocks


def script(blocks):
    """One script whose lines have the numbers that they have in the guide, so that bash's messages name them."""
    lines = ["set -Eeuo pipefail; shopt -s inherit_errexit || true; exec 2>&1; trap 'echo \"line $LINENO failed\" >&2' ERR"]
    for number, (start, inside, _, _) in enumerate(blocks, 1):
        lines += [""] * (start - 2 - len(lines)) + [f"echo; echo '{MARK}{number}'"] + inside
    return "\n".join(lines) + "\n"


def run(text, folder):
    """Returns the exit code and the output of each block that was begun."""
    path = pathlib.Path(folder, "guide.sh")
    path.write_text(text, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    with subprocess.Popen(["bash", str(path)], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          start_new_session=True) as process:
        try:
            output, status = process.communicate(timeout=LIMIT)[0], process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with its subshells, which hold the pipe
            output, status = process.communicate()[0], f"it took longer than {LIMIT} s"
    parts = re.split(rf"\n{MARK}\d+\n", "\n" + output.decode(errors="replace"))
    return status, parts[1:]


def documents(text):
    """The JSON objects in a text, one after the other."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found


def same(expected, seen, where="the answer"):
    """Yields what differs."""
    if isinstance(expected, dict) and isinstance(seen, dict):
        for name in sorted(expected.keys() - seen.keys() - {"…"}):
            yield f"{where}: {name!r} is missing"
        for name in sorted(seen.keys() - expected.keys() if "…" not in expected else ()):
            yield f"{where}: {name!r} is not in the guide"
        for name in sorted(expected.keys() & seen.keys()):
            yield from same(expected[name], seen[name], f"{where}.{name}")
    elif isinstance(expected, list) and isinstance(seen, list):
        if len(expected) != len(seen):
            yield f"{where}: {len(seen)} items; the guide has {len(expected)}"
        for index, pair in enumerate(zip(expected, paired(expected, seen))):
            yield from same(*pair, f"{where}[{index}]")
    elif isinstance(expected, str) and isinstance(seen, str):
        if not alike(expected, seen):
            yield f"{where}: {seen!r}; the guide has {expected!r}"
    elif expected != seen or type(expected) is not type(seen):
        yield f"{where}: {seen!r}; the guide has {expected!r}"


def paired(expected, seen):
    """What was seen in the order in which it was expected; what was not expected at all stands in the places left."""
    rest, found = list(seen), {}
    for index, value in enumerate(expected):
        fits = next((other for other in rest if not any(same(value, other))), None)
        if fits is not None:
            rest.remove(fits)
            found[index] = fits
    return [found[index] if index in found else rest.pop(0) if rest else None for index in range(len(expected))]


def alike(expected, seen):
    if TIME.fullmatch(expected):
        return TIME.fullmatch(seen) is not None
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, seen, re.DOTALL) is not None


def differences(language, expected, output):
    if language == "text":
        return [] if alike(expected.strip(), output.strip()) else [f"the guide has {expected!r}"]
    wanted = documents(expected)
    seen = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if len(wanted) != len(seen):
        return [f"{len(seen)} JSON objects; the guide has {len(wanted)}"]
    return [text for pair in zip(wanted, seen) for text in same(*pair)]


def walk(path):
    """Returns whether the guide does what it says, and what there is to say about it."""
    blocks = read(path)
    with tempfile.TemporaryDirectory() as folder:
        status, outputs = run(script(blocks), folder)
    for number, (block, output) in enumerate(zip(blocks, outputs), 1):
        start, _, language, expected = block
        wrong = differences(language, expected, output) if language else []
        if number == len(outputs) and status != 0:
            wrong.insert(0, f"the script ended here: {status}")
        if wrong:
            return False, (f"FAILED {path.name}:{start}: block {number} of {len(blocks)}: {'; '.join(wrong)}\n"
                           f"It printed:\n{output.strip()}")
    if len(outputs) != len(blocks) or not blocks:
        return False, f"FAILED {path.name}: {len(outputs)} of {len(blocks)} blocks were run ({status})"
    return True, f"ok    {path.name}: {len(blocks)} blocks"


def main():
    missing = [name for name in ("TOKENIM_URL", "TOKENIM_WS", "TOKENIM_MAIL") if not os.environ.get(name)]
    if missing:
        sys.exit("walk.py: not set: " + ", ".join(missing))
    guides = [pathlib.Path(name).resolve() for name in sys.argv[1:]] or GUIDES
    right = True
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for does, text in pool.map(walk, guides):
            print(text, flush=True)
            right = right and does
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
