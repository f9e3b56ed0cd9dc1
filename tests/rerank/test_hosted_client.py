"""What is said of an error, and how long is waited."""

from __future__ import annotations

import time
from email.utils import formatdate

import httpx
import pytest

from secondpass.errors import InputError
from secondpass.rerank.hosted_client import Patience, RerankClient, _asked_wait, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"message": "invalid api token"}', "invalid api token"),
        ('{"error": "没有这个模型", "error_type": "Validation"}', "没有这个模型"),
        ('{"error": {"message": "bad", "code": 400}}', "bad"),
        ('{"detail": "无效"}', "无效"),
        ('{"detail": [{"loc": ["body"], "msg": "a"}, {"msg": "b"}]}', "a; b"),
        ('{"code": 20012, "message": "Model does not exist", "data": null}', "Model does not exist"),
        ('"Invalid token"', "Invalid token"),
        ("Bad gateway", "Bad gateway"),
        ('{"status": 3}', '{"status": 3}'),
        ('{"error": {"message": ""}}', '{"error": {"message": ""}}'),
    ],
)
def test_a_refusals_words_are_found_in_every_form(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after-ms": "nan?"}, None),
    ],
)
def test_a_wait_is_read_from_the_headers(headers, seconds):
    assert _asked_wait(httpx.Response(429, headers=headers)) == seconds


def test_a_wait_may_be_a_date():
    headers = {"retry-after": formatdate(time.time() + 30, usegmt=True)}
    assert 25 < (_asked_wait(httpx.Response(429, headers=headers)) or 0) <= 30
    past = {"retry-after": formatdate(time.time() - 30, usegmt=True)}
    assert _asked_wait(httpx.Response(429, headers=past)) == 0


def test_a_key_is_cut_out_of_what_a_server_repeats():
    client = RerankClient("http://localhost:1", "sk-geheim", Patience())
    assert client.quoted("Incorrect API key: sk-geheim !") == "Incorrect API key: *** !"


@pytest.mark.parametrize("key", ["sk-\nsecret", "sk-secret密钥", "“sk-secret”"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key):
    with pytest.raises(InputError, match="The key for http://localhost:1 holds") as caught:
        RerankClient("http://localhost:1", key, Patience())
    assert "secret" not in str(caught.value)
