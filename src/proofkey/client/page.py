"""The page that a client itself shows a person: a heading, a sentence, where to go on; without script, loading nothing.

1. Everything in it is escaped.
2. Its policy names its style by hash, so that nothing else can style it or run in it (Content Security Policy 3 §2.3.1).
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --raised: #fff; --ink: #171a24; --muted: #5a5e6b; --line: #e3dfd6;
  --mark: #c98a1b; --solid: #171a24; --hover: #2d3242; --on-solid: #fff; --ring: #8a5a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12151d; --raised: #191d27; --ink: #f1efe9; --muted: #a7abb8; --line: #2a2f3c;
    --mark: #f2b84b; --solid: #f2b84b; --hover: #ffcd72; --on-solid: #1d1503; --ring: #f2b84b;
  }
}
* { box-sizing: border-box; }
body {
  display: grid; min-height: 100vh; min-height: 100dvh; margin: 0; padding: 2.5rem 1.25rem;
  background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif;
}
main { justify-self: center; width: min(100%, 25rem); }
svg { display: block; width: 4rem; fill: none; stroke: var(--mark); stroke-width: 6; stroke-linecap: round; }
h1 { margin: 1.5rem 0 0; font-size: 1.75rem; font-weight: 650; line-height: 1.2; letter-spacing: -.02em; }
p { margin: .5rem 0 0; color: var(--muted); }
a {
  display: block; margin-top: 1.75rem; padding: .75rem 1.25rem; border: 1px solid transparent; border-radius: .625rem;
  background: var(--solid); color: var(--on-solid); font-weight: 600; text-align: center; text-decoration: none;
}
a:hover { background: var(--hover); }
a:focus-visible { outline: 3px solid var(--ring); outline-offset: 2px; }
.support { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .875rem; }
code {
  padding: .125rem .5rem; border: 1px solid var(--line); border-radius: .375rem; background: var(--paper); color: var(--ink);
  font: .8125rem/1.9 ui-monospace, SFMono-Regular, Menlo, Consolas, "Noto Sans Mono", monospace;
}
@media (min-width: 40rem) {
  body { padding-bottom: 14vh; }
  main {
    align-self: center; width: 30rem; padding: 2.5rem; border: 1px solid var(--line); border-radius: 1rem;
    background: var(--raised);
  }
}
@media (forced-colors: active) { a { border-color: LinkText; } }
"""
_WHOLE, _BROKEN = "M4 4h0M17 4h22M52 4h0", "M4 4h0M20 4h0M36 4h0M52 4h0"
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The `Content-Security-Policy` of every page rendered here."""


def render_page(
    title: str, text: str, *, onward: tuple[str, str] | None = None, support: str = "", went_well: bool = False
) -> bytes:
    """The page as UTF-8. *onward* is an address and its words; *support* is what to read out to whoever helps."""
    link = "" if onward is None else f'<a href="{escape(onward[0])}">{escape(onward[1])}</a>'
    small = f'<p class="support">For support: {_with_slug(support)}</p>' if support else ""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
<main>
<svg viewBox="0 0 56 8" aria-hidden="true"><path d="{_WHOLE if went_well else _BROKEN}"/></svg>
<h1>{escape(title)}</h1>
<p>{escape(text)}</p>
{link}
{small}
</main>
</html>
""".encode()


def _with_slug(support: str) -> str:
    """Words as words, and the slug that ends them set apart, as on the issuer's pages."""
    words, bracket, slug = support.rpartition("[")
    return f'{escape(words)}<code translate="no">[{escape(slug)}</code>' if bracket else escape(support)
