"""The challenges of `WWW-Authenticate`, read and written (RFC 9110 §11.6.1; RFC 6750 §3, RFC 9449 §7.1).

1. A line may hold several challenges, a response several lines. Schemes and names of parameters have no case.
2. Each line counts up to where it is malformed. What stands within a quoted text is never taken for a parameter.
3. A missing comma, and a text that should be quoted and is not, are forgiven: servers send both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from proofkey.protocol.record import record

_PIECE = re.compile(
    r"""[\s,]*+(?:
        (?P<name>[\w!#$%&'*+.^`|~-]++)\s*+=\s*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<plain>[^\s",]++))
        |(?P<scheme>[\w!#$%&'*+.^`|~-]++)(?:[ ]++[\w.~+/-]++=*+(?=\s*+(?:,|$)))?
    )(?=[\s,]|$)""",
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_QUOTED_PAIRS = str.maketrans({'"': '\\"', "\\": "\\\\"})
_ENDS_THE_LINE = re.compile(r"[\r\n\x00]")
_ACCESS_TOKEN_SCHEMES = {"bearer", "dpop"}


@record(frozen=True, slots=True)
class Challenge:
    """One challenge: its scheme as it was spelt, its parameters by their names in lower case; no token68."""

    scheme: str
    parameters: dict[str, str]


def read_challenges(lines: Iterable[str]) -> list[Challenge]:
    """Every challenge for an access token in the values of `WWW-Authenticate`. The first of two parameters of a name counts."""
    found = [challenge for line in lines for challenge in _read_line(line)]
    return [challenge for challenge in found if challenge.scheme.lower() in _ACCESS_TOKEN_SCHEMES]


def read_errors(lines: Iterable[str]) -> frozenset[str]:
    """The `error` of every challenge for an access token."""
    return frozenset(each.parameters["error"] for each in read_challenges(lines) if "error" in each.parameters)


def _read_line(line: str) -> list[Challenge]:
    found: list[Challenge] = []
    end = 0
    while piece := _PIECE.match(line, end):
        end = piece.end()
        if piece["scheme"]:
            found.append(Challenge(piece["scheme"], {}))
        elif found:
            text = piece["plain"] or re.sub(r"\\(.)", r"\1", piece["quoted"], flags=re.DOTALL)
            found[-1].parameters.setdefault(piece["name"].lower(), text)
    return found


def write_challenge(scheme: str, parameters: Mapping[str, str]) -> str:
    """One challenge; every text is quoted (RFC 9110 §5.6.4). Raises `ValueError` for what would end the line."""
    if any(_ENDS_THE_LINE.search(text) for text in (scheme, *parameters, *parameters.values())):
        raise ValueError("a challenge is one line")
    written = ", ".join(f'{name}="{text.translate(_QUOTED_PAIRS)}"' for name, text in parameters.items())
    return f"{scheme} {written}".rstrip()
