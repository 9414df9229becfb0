"""The binary accepts every command line of cudacheck in deploy/.

With `--help` at the end it parses all arguments and their values, but does nothing. This does not find conflicts
between flags; deploy/ uses no flags that can conflict.
"""

import os
import re
import shlex
import subprocess

import scripts
from files import DEPLOY, all_files, containers, load, probes

BINARY: str | None = None


def manifest_commands() -> list[tuple[str, list[str]]]:
    found = []
    for name, _, container in containers():
        found += [(name, probe["exec"]["command"]) for probe in probes(container).values() if "exec" in probe]
        found += [(name, container["command"])] if "command" in container else []
    services = load("compose.yaml")["services"]
    found.append(("compose", services["app"]["healthcheck"]["test"][1:]))
    found.append(("compose", services["cudacheck"]["entrypoint"] + services["cudacheck"]["command"]))
    for where, command in found:
        assert command[0] == "/usr/local/bin/cudacheck", f"{where}: {command}"
    return [(where, command[1:]) for where, command in found]


def written_commands() -> list[tuple[str, list[str]]]:
    """In code blocks of the README, and between backticks in any file."""
    found = []
    for line in (DEPLOY / "README.md").read_text().splitlines():
        if line.startswith("    "):
            words = shlex.split(line)
            starts = [at for at, word in enumerate(words) if word.rsplit("/", 1)[-1] == "cudacheck"]
            found += [("README.md", words[at + 1 :]) for at in starts[:1]]
    for path in all_files():
        for text in re.findall(r"`cudacheck ([^`]+)`", path.read_text()):
            found.append((path.name, shlex.split(re.sub(r"\{\{.*?\}\}", "ID", text))))
    return found


def refuse(arguments: list[str]) -> str | None:
    """The binary's error for these arguments, or None."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CUDACHECK_")}
    done = subprocess.run(
        [BINARY, *arguments, "--help"], env=environment, capture_output=True, text=True, timeout=30
    )
    if done.returncode == 0 and "Usage: " in done.stdout and not done.stderr:
        return None
    return f"{' '.join(arguments)}: {done.stderr.strip() or done.returncode}"


def accepted():
    """the binary accepts every command line"""
    # The arguments that the fake cudacheck got, with variables expanded.
    if not scripts.SEEN:
        scripts.deadlines()
    groups = {"manifests": (manifest_commands(), 7), "text": (written_commands(), 6)}
    groups["scripts"] = ([("scripts", words) for words in scripts.SEEN], 3)
    for name, (found, least) in groups.items():
        assert len(found) >= least, f"only {len(found)} commands were found in {name}"
        for where, words in found:
            why = refuse(words)
            assert why is None, f"{where}: {why}"


def refused():
    """the binary refuses wrong arguments"""
    for words in (["health", "--level", "nonsense"], ["health", "--timeout", "5x"], ["health", "--nonsense"], ["nonsense"]):
        assert refuse(words), f"{words} were accepted"


CHECKS = [accepted, refused]
