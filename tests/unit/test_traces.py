"""Trace contexts: which headers count, what is kept of them, and what goes on to the page."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.records import decode_record, encode
from domain.traces import NO_TRACE, is_sampled, read_traceparent, trace_id, traceparent
from tests.unit.doorstep import event, outcome, record

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
SAMPLED = f"{TRACE_ID}-01"


def hexes(digits: int) -> st.SearchStrategy[str]:
    """Lower-case hex of so many digits, not all zeros."""
    return st.integers(1, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


@given(hexes(32), hexes(16), st.integers(0, 255))
def test_a_header_in_form_is_kept_and_goes_on(of_trace: str, of_span: str, flags: int) -> None:
    """Its trace id and whether it is sampled; what the page gets is in form again, of the same trace."""
    trace = read_traceparent(f"00-{of_trace}-{of_span}-{flags:02x}".encode())
    assert (of_trace, flags % 2 == 1) == (trace_id(trace), is_sampled(trace))
    assert trace == read_traceparent(traceparent(trace, "x-1").encode())


@pytest.mark.parametrize(
    "header",
    [
        "",
        TRACE_ID,
        f"00-{TRACE_ID}-{SPAN_ID}",
        f"00-{TRACE_ID}-{SPAN_ID}-1",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"00-{TRACE_ID}-{SPAN_ID}-01\n",
        f" 00-{TRACE_ID}-{SPAN_ID}-01",
        f"01-{TRACE_ID}-{SPAN_ID}-01",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{TRACE_ID[:-1]}g-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00_{TRACE_ID}_{SPAN_ID}_01",
    ],
)
def test_what_is_not_in_form_counts_as_absent(header: str) -> None:
    """Another version, upper case, zeros, too short, too long: no trace, and no error."""
    assert NO_TRACE == read_traceparent(header.encode())
    assert (False, "") == (is_sampled(NO_TRACE), trace_id(NO_TRACE))


@given(st.binary(max_size=80))
def test_no_bytes_are_an_error(header: bytes) -> None:
    """Anybody may send anything."""
    assert read_traceparent(header) in (NO_TRACE, header[3:36].decode("latin-1") + f"0{header[-1:].decode('latin-1')}")


def test_each_experience_has_a_span_of_its_own() -> None:
    """The same one whenever it is asked for."""
    spans = [traceparent(SAMPLED, about) for about in ("x-1", "x-1", "x-2")]
    assert spans[0] == spans[1] != spans[2]


def test_all_events_of_a_request_are_of_its_trace() -> None:
    """Each record says so, and reads back so."""
    body = {"events": [event(), event("PageViewed")]}
    found = [one.trace for each in body["events"] for one in (record(each, trace=SAMPLED),)]
    assert [SAMPLED, SAMPLED] == found


def test_without_a_trace_a_record_is_as_it_was() -> None:
    """Nothing is stored of it, and what was stored before there were traces is read."""
    fields = msgspec.msgpack.decode(encode(record(event())))
    assert "trace" not in fields
    read = decode_record(msgspec.msgpack.encode(fields))
    assert record(event()) == read


def test_a_refusal_keeps_no_trace() -> None:
    """Of an event without consent nothing is stored but that the consent has ended."""
    dropped = outcome(event(consent="denied"), trace=SAMPLED)
    withdrawal = getattr(dropped, "withdrawal", None)
    assert withdrawal is not None
    assert NO_TRACE == withdrawal.trace
