"""A change under src/ lands with a line in CHANGELOG.md.

On a branch, everything since it left main is looked at, uncommitted work included; on main itself, what the last merge
brought. A lone commit on main, which no branch led to, has nothing to be compared with and passes.
"""

from __future__ import annotations

from checks.source_files import ROOT, git, report

CHANGELOG = "CHANGELOG.md"


def starting_point() -> str:
    """The commit that the present work began at; empty where there is none to compare with."""
    head = git("rev-parse", "HEAD").strip()
    for main in ("origin/main", "main"):
        base = git("merge-base", "HEAD", main).strip()
        if base and base != head:
            return base
    return git("rev-parse", "--verify", "--quiet", "HEAD^1").strip() if git("rev-parse", "HEAD^2").strip() else ""


def main() -> None:
    """Compare, and hold the changelog to its form."""
    text = (ROOT / CHANGELOG).read_text(encoding="utf-8") if (ROOT / CHANGELOG).is_file() else ""
    complaints = [] if "\n## " in text else [f"{CHANGELOG} has no section"]
    base = starting_point()
    changed = git("diff", "--name-only", base).split() if base else []
    if CHANGELOG not in changed and any(name.startswith("src/") for name in changed):
        complaints.append(f"src/ changed since {base[:10]}, but {CHANGELOG} did not: say old behaviour → new behaviour")
    report("changelog", complaints)


if __name__ == "__main__":
    main()
