"""What is one request for us is one for everybody: bytes on a wire, as our protocol and as h11 read them."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcard.serving.wire import protocol
from tests.serving.both_parsers import by_h11, ours

pytestmark = pytest.mark.whole

NEXT = b"GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

# RFC 9112 and RFC 9110, by section: refused by us, whoever else takes it.
WRONG = {
    "9112 2.2 a lone line feed ends a line": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "9112 2.2 a lone carriage return": b"GET / HTTP/1.1\rHost: localhost\r\n\r\n",
    "9112 2.2 a space before the first field": b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "9112 2.3 a version that is not spoken": b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "9112 2.3 version 0.9": b"GET / HTTP/0.9\r\nHost: localhost\r\n\r\n",
    "9112 2.3 a name in lower case": b"GET / http/1.1\r\nHost: localhost\r\n\r\n",
    "9112 3 two spaces": b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "9112 3 a tab": b"GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "9112 3 no target": b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "9112 3.2 a space in the target": b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "9112 3.2 a fragment": b"GET /a#b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "9112 3.2 bytes beyond ASCII": b"GET /\xc3\xa4 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "9112 3.2 no host": b"GET / HTTP/1.1\r\n\r\n",
    "9112 3.2 two hosts": GET + b"Host: localhost\r\n\r\n",
    "9112 3.2 two other hosts": GET + b"Host: elsewhere\r\n\r\n",
    "9112 3.2 a host that is none": b"GET / HTTP/1.1\r\nHost: local host\r\n\r\n",
    "9112 3.2 a list of hosts": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "9112 3.2 a host with a user": b"GET / HTTP/1.1\r\nHost: me@localhost\r\n\r\n",
    "9112 3.2.2 another host in the target": b"GET http://elsewhere/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "9112 3.2.3 a host alone": b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
    "9112 3.2.4 an asterisk": b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "9112 3.2 a path without a slash": b"GET a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "9112 5.1 a space before the colon": GET + b"A : b\r\n\r\n",
    "9112 5.1 no colon": GET + b"A\r\n\r\n",
    "9112 5.1 no name": GET + b": b\r\n\r\n",
    "9112 5.1 a name that is no token": GET + b"a(b): c\r\n\r\n",
    "9112 5.2 a folded line": GET + b"A: b\r\n c\r\n\r\n",
    "9112 5.2 a folded length": POST + b"Content-Length:\r\n 3\r\n\r\nabc",
    "9110 5.5 a null": GET + b"A: b\x00c\r\n\r\n",
    "9110 5.5 a carriage return": GET + b"A: b\rc\r\n\r\n",
    "9110 5.5 an escape": GET + b"A: b\x1bc\r\n\r\n",
    "9112 6.1 a coding and a length": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "9112 6.1 a length and a coding": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "9112 6.1 an unknown coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "9112 6.1 chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "9112 6.1 two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "9112 6.1 identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "9112 6.1 chunked not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "9112 6.1 nearly chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "9112 6.1 chunked with a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "9112 6.1 a coding with 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "9112 6.3 two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "9112 6.3 the same length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "9112 6.3 a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "9112 6.3 a sign": POST + b"Content-Length: +3\r\n\r\nabc",
    "9112 6.3 below nothing": POST + b"Content-Length: -3\r\n\r\nabc",
    "9112 6.3 hexadecimal": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "9112 6.3 no number": POST + b"Content-Length: \r\n\r\n",
    "9112 6.3 a number with an underscore": POST + b"Content-Length: 1_0\r\n\r\n0123456789",
    "9112 6.3 too large a number": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "9112 7.1 no size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "9112 7.1 a size that is none": CHUNKED + b"g\r\nabc\r\n0\r\n\r\n",
    "9112 7.1 a size with a sign": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n",
    "9112 7.1 a size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "9112 7.1 too large a size": CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "9112 7.1 a lone line feed after a size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "9112 7.1 a lone line feed after a chunk": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "9112 7.1 a chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "9112 7.1.1 a lone line feed in an extension": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "9112 7.1.2 a folded trailer": CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n",
    "9112 7.1.2 a trailer without a colon": CHUNKED + b"0\r\nA\r\n\r\n",
    "9110 7.8 another protocol, with a body": POST
    + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
    "9110 8.3 two types": POST
    + b"Content-Type: text/csv\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n",
    "9110 10.1.1 another expectation": POST + b"Expect: the worst\r\nContent-Length: 0\r\n\r\n",
    "9110 11.6.2 two tokens": GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "9113 3.4 the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}

RIGHT = {
    "the least": (GET + b"\r\n", b""),
    "1.0 without a host": (b"GET / HTTP/1.0\r\n\r\n", b""),
    "an empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b""),
    "a host with a port": (b"GET / HTTP/1.1\r\nHost: [::1]:3000\r\n\r\n", b""),
    "empty lines before": (b"\r\n\r\n" + GET + b"\r\n", b""),
    "the host in the target": (b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
    "a value with tabs, and letters beyond ASCII": (GET + b"A: \tb\tc\xe9\t\r\n\r\n", b""),
    "a field twice": (GET + b"Accept: a\r\nAccept: b\r\n\r\n", b""),
    "a length": (POST + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    "a length with zeros before it": (POST + b"Content-Length: 003\r\n\r\nabc", b"abc"),
    "chunks": (CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
    "chunks in capitals": (POST + b"TRANSFER-ENCODING: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "an extension": (CHUNKED + b"3;a=b\r\nabc\r\n0;c\r\n\r\n", b"abc"),
    "a trailer": (CHUNKED + b"3\r\nabc\r\n0\r\nA: b\r\nHost: elsewhere\r\n\r\n", b"abc"),
    "another protocol, without a body": (GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", b""),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "byte by byte"])
def test_what_can_be_read_in_two_ways_is_refused(content: bytes, bytewise: bool) -> None:
    content += NEXT
    heard = ours([content[place : place + 1] for place in range(len(content))] if bytewise else [content])
    assert heard.seen == []
    assert heard.said.startswith(b"HTTP/1.1 4")
    assert heard.said.count(b"HTTP/1.1") == 1
    assert heard.closed


@pytest.mark.parametrize(("content", "body"), RIGHT.values(), ids=RIGHT.keys())
@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "byte by byte"])
def test_what_is_right_is_read(content: bytes, body: bytes, bytewise: bool) -> None:
    heard = ours([content[place : place + 1] for place in range(len(content))] if bytewise else [content])
    assert [seen.body for seen in heard.seen] == [body]
    assert heard.said.startswith(b"HTTP/1.1 200")
    names = [name for name, _ in heard.seen[0].fields]
    assert names.count(b"host") <= 1  # a trailer is no field


def test_spaces_around_a_value_are_none_of_it() -> None:
    heard = ours([GET + b"A:: ", b" \t", b"\r\nB:  b", b" ", b"b\t\r\n\r\n"])
    assert heard.seen[0].fields[1:] == ((b"a", b":"), (b"b", b"b b"))


def test_what_follows_another_protocol_is_not_read() -> None:
    heard = ours([GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", NEXT])
    assert [seen.target for seen in heard.seen] == [b"/"]
    assert heard.closed


def test_what_follows_a_wish_to_close_is_not_read() -> None:
    heard = ours([GET + b"Connection: close\r\n\r\n" + NEXT])
    assert [seen.target for seen in heard.seen] == [b"/"]
    assert heard.said.count(b"HTTP/1.1 200") == 1
    assert heard.closed


def test_requests_sent_ahead_are_answered_in_their_order_and_those_before_a_mistake() -> None:
    heard = ours([NEXT * 3 + b"GET nothing HTTP/1.1\r\n\r\n" + NEXT])
    assert [seen.target for seen in heard.seen] == [b"/next"] * 3
    assert heard.said.count(b"HTTP/1.1 200") == 3
    assert b"HTTP/1.1 4" not in heard.said
    assert heard.closed


def test_of_very_many_sent_ahead_the_first_are_answered() -> None:
    heard = ours([NEXT * 500])
    assert 1 < len(heard.seen) < 20
    assert heard.said.count(b"HTTP/1.1 200") == len(heard.seen)
    assert heard.closed


@pytest.mark.parametrize(
    "begun",
    [b"", b"\r\n", b"G", b"GET / HTTP/1.1\r\n", GET, NEXT + b"G", NEXT + b"GET /", NEXT + b"GET / HTTP/1.1\r\n"],
)
def test_a_head_has_to_come_in_time(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.05)
    heard = ours([begun, 0.2])
    assert heard.said.count(b"HTTP/1.1 200") == begun.count(b"/next")
    assert heard.said.endswith(b'{"error":"the head did not come within 0.05 s","mistakes":[]}')
    assert heard.closed


def test_time_between_requests_is_none_of_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.05)
    heard = ours([NEXT, 0.1, NEXT, 0.1, POST + b"Content-Length: 3\r\n\r\n", 0.1, b"abc", 0.1, NEXT])
    assert len(heard.seen) == 4
    assert heard.said.count(b"HTTP/1.1 200") == 4
    assert not heard.closed


LINES = [b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1", b"PUT /a HTTP/1.0", b"HEAD http://localhost/a HTTP/1.1", b"GET /a"]
FIELDS = [b"Host: localhost", b"Host: localhost", b"Content-Length: 3", b"Content-Length: 0", b"Content-Length: 5"]
FIELDS += [b"Transfer-Encoding: chunked", b"Transfer-Encoding:chunked", b"Connection: close", b"Connection: keep-alive"]
FIELDS += [b"Connection: upgrade", b"Upgrade: h2c", b"A: b", b"Content-Type: text/csv", b"Expect: 100-continue", b"A:"]
BODIES = [b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n", b"3;a\r\nabc\r\n0\r\nB: c\r\n\r\n", b"1\r\n", b"abcde"]
ODD = [b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b",", b"0", b"\x80", b";", b"\x0b", b"a", b""]


@st.composite
def wires(draw: st.DrawFn) -> bytes:
    """One or two requests, some of their bytes replaced or put in."""
    content = b""
    for _ in range(draw(st.integers(1, 2))):
        fields = draw(st.lists(st.sampled_from(FIELDS), max_size=4))
        content += b"\r\n".join([draw(st.sampled_from(LINES)), *fields, b"", draw(st.sampled_from(BODIES))])
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.sampled_from(ODD)) + content[place + draw(st.integers(0, 2)) :]
    return content + NEXT


def agrees(content: bytes, parts: list[bytes]) -> None:
    """What we read, h11 reads too: as many requests, with the same bodies."""
    heard = ours(parts)
    theirs = by_h11(content)
    assert len(heard.seen) <= len(theirs), content
    for mine, other in zip(heard.seen, theirs, strict=False):
        assert (mine.method, mine.body) == (other.method, other.body), content
        assert other.target.endswith(mine.target), content
        assert mine.fields == other.fields, content


@given(wires(), st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_nothing_is_one_request_here_and_two_elsewhere(content: bytes, step: int) -> None:
    agrees(content, [content[place : place + step] for place in range(0, len(content), step)])


@pytest.mark.slow
@given(wires(), st.integers(1, 200))
@settings(max_examples=20_000, deadline=None)
def test_nothing_is_one_request_here_and_two_elsewhere_thousands(content: bytes, step: int) -> None:
    agrees(content, [content[place : place + step] for place in range(0, len(content), step)])


def test_h11_is_another_parser() -> None:
    assert "httptools" not in (h11.__file__ or "")
    assert [seen.body for seen in by_h11(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + NEXT)] == [b"abc", b""]
