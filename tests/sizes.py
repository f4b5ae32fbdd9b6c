"""Reports how large the functions are that `sam build` made, and fails where they are not what a deployment expects.

    python3 tests/sizes.py arm64 <build folder> <folder of the functions' sources>
"""
import hashlib
import pathlib
import struct
import sys
import zlib

# The budget of a function's package, in bytes as Lambda stores it: it bounds what a cold start has to load. It is that of
# the default architecture; the same code is up to 12 % larger for x86_64.
LIMITS = {"arm64": 4 << 20, "x86_64": 9 << 19}
# The e_machine of an ELF header.
MACHINES = {"arm64": 183, "x86_64": 62}
# The segment that names a loader, which only a program that is linked dynamically has.
PT_INTERP = 3


def zipped(program):
    """The bytes of the program in a zip archive; sam packs with zlib's usual level."""
    return len(zlib.compress(program))


def faults(program, architecture):
    """What is wrong with a program."""
    if program[:4] != b"\x7fELF":
        yield "is no Linux program"
        return
    if struct.unpack_from("<H", program, 18)[0] != MACHINES[architecture]:
        yield f"is not for {architecture}"
    (offset,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    if any(struct.unpack_from("<I", program, offset + i * size)[0] == PT_INTERP for i in range(count)):
        yield "is not static: build with CGO_ENABLED=0"
    if zipped(program) > LIMITS[architecture]:
        yield f"is larger than {LIMITS[architecture] / (1 << 20)} MiB zipped"


def main(architecture, build, sources):
    wrong, seen = [], {}
    print(f"| function ({architecture}) | MB | zipped MB |\n|---|---|---|")
    programs = sorted(pathlib.Path(build).glob("*/bootstrap"))
    for path in programs:
        name, program = path.parent.name, path.read_bytes()
        print(f"| {name} | {len(program) / 1e6:.2f} | {zipped(program) / 1e6:.2f} |")
        wrong += [f"{name} {fault}" for fault in faults(program, architecture)]
        digest = hashlib.sha256(program).hexdigest()
        if digest in seen:
            wrong.append(f"{name} is the same program as {seen[digest]}")
        seen[digest] = name
    expected = sum((folder / "main.go").exists() for folder in pathlib.Path(sources).iterdir())
    if len(programs) != expected:
        wrong.append(f"{len(programs)} functions were built; {sources} has {expected}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main(*sys.argv[1:]))
