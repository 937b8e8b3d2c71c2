"""The operator's page: a process's last minute as plain HTML, readable without scripts, in the dark and on a phone."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from importlib.metadata import PackageNotFoundError, version

from monitoring.samples import Samples
from monitoring.wellness import Fact, Section, Subject, Verdict, sections, span

REFRESH_S = 5
_WORDS = {Verdict.FINE: "well", Verdict.LOOK: "look", Verdict.BAD: "bad"}
_STYLE = """
:root { color-scheme: light dark; --back: #fff; --fore: #1a1a1a; --faint: #555; --line: #ccc;
  --well: #0b5c2b; --look: #7a4a00; --bad: #a30d1c }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --fore: #eceff1; --faint: #a9b2b9; --line: #3b444b;
  --well: #6fdc9a; --look: #ffc46b; --bad: #ff9b9b } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: .75rem; max-width: 44rem; background: var(--back); color: var(--fore);
  font: 1rem/1.4 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { margin: 0; font-size: 1.25rem } h2 { margin: 1.5rem 0 0; font-size: 1.1rem }
p { margin: .25rem 0 } a { color: inherit }
caption, .faint { color: var(--faint); font-size: .875rem; text-align: left }
.verdict { margin: .75rem 0; padding: .75rem; border: 3px solid; border-radius: .375rem; font-size: 1.25rem }
table { width: 100%; border-collapse: collapse; table-layout: fixed }
th, td { padding: .3rem .5rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
th { width: 46%; font-weight: 400 } td { font-variant-numeric: tabular-nums }
td:nth-child(3) { width: 3rem; padding-right: 0 }
.well { color: var(--well) } .look { color: var(--look); font-weight: 700 } .bad { color: var(--bad); font-weight: 700 }
@media print { .links { display: none } section { break-inside: avoid } }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
"""What every answer says beside its length."""


class Page:
    """The page of one process.

    Args:
        subject: the process.
        samples: its last minute.
        now_s: the wall clock, since the epoch.
    """

    def __init__(self, subject: Subject, samples: Samples, now_s: Callable[[], float]) -> None:
        self._subject = subject
        self._samples = samples
        self._now_s = now_s
        self._started_s = now_s()

    def html(self, query: str) -> bytes:
        """Gives the page as it is now.

        Args:
            query: of the address; `still` leaves out the refresh, for who reads slowly or listens.
        """
        now_s = self._now_s()
        is_still = query == "still"
        told = sections(self._subject, self._samples.window(), now_s)
        name = escape(self._subject.name)
        worst, sentence = _verdict(told)
        refresh = "" if is_still else f'<meta http-equiv="refresh" content="{REFRESH_S}">'
        link = '<a href="/">Refresh every 5 seconds</a>' if is_still else '<a href="/?still">Stop refreshing</a>'
        body = "".join(_section(number, section) for number, section in enumerate(told))
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{_WORDS[worst]}: {name}</title>"
            f"<style>{_STYLE}</style></head><body><header><h1>{name}</h1></header><main>"
            f'<p class="verdict {_WORDS[worst]}">{escape(sentence)}</p>'
            f'<p class="faint">hotbasket {_version()}, up {span(max(0.0, now_s - self._started_s))}, '
            f"since {_utc(self._started_s)}. This page is of {_utc(now_s)}.</p>"
            f'<p class="links">{link} · <a href="/metrics">All metrics</a></p>{body}</main></body></html>\n'
        ).encode()


def _verdict(told: Sequence[Section]) -> tuple[Verdict, str]:
    """The worst of all facts, and the one sentence that says it."""
    facts = [fact for section in told for fact in section.facts if fact.verdict]
    worst = max((fact.verdict for fact in facts if fact.verdict is not None), default=Verdict.FINE)
    troubles = "; ".join(fact.trouble for fact in sorted(facts, key=lambda fact: -(fact.verdict or 0)))
    match worst:
        case Verdict.FINE:
            return worst, "Well: nothing needs you."
        case Verdict.LOOK:
            return worst, f"Worth a look: {troubles}."
        case Verdict.BAD:
            return worst, f"Bad: {troubles}."


def _section(number: int, section: Section) -> str:
    rows = "".join(_row(fact) for fact in section.facts)
    return (
        f'<section aria-labelledby="s{number}"><h2 id="s{number}">{escape(section.title)}</h2>'
        f"<table><caption>{escape(section.caption)}</caption><tbody>{rows}</tbody></table></section>"
    )


def _row(fact: Fact) -> str:
    word = "" if fact.verdict is None else _WORDS[fact.verdict]
    return (
        f'<tr><th scope="row" title="{escape(fact.metric)}">{escape(fact.words)}</th><td>{escape(fact.shown)}</td>'
        f'<td class="{word}">{word}</td></tr>'
    )


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _version() -> str:
    try:
        return version("hotbasket")
    except PackageNotFoundError:
        return "of a checkout"
