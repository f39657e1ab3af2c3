"""The `proofkey` command, as `python -m proofkey`, too: an installation without its parts says what to install."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, and leave the process with its exit status."""
    try:
        from proofkey.cli import main as command
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] == "proofkey":
            raise
        sys.exit(
            "error: failed: the command needs pip install 'proofkey[server]', or 'proofkey[client]' [extra_missing]"
        )
    except KeyboardInterrupt:
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
