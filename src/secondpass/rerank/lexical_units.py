"""Cut folded text into units: one per Chinese character, per stemmed word, per number however it is written."""

from __future__ import annotations

import re

from secondpass.text.language import HAN
from secondpass.text.numerals import chinese_number
from secondpass.text.terms import terms

SENTENCE_MARK = "\x1e"
"""Stands between the sentences of a passage that is cut in one go."""

WIDE = HAN + "\u3041-\u30ff\u31f0-\u31ff\uac00-\ud7a3"  # Han, kana, Hangul syllables
_DIGITS, _POWERS = "〇零一二三四五六七八九两", "十百千万亿"
_NUMERALS = _DIGITS + _POWERS
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_WORD_NUMBERS = {word: str(value) for value, word in enumerate(_NUMBER_WORDS) if value > 1}  # "one" is mostly a pronoun
# What the stemmer cannot know: irregular verbs and plurals, each with the form it is written as.
_IRREGULAR = {
    form: lemma
    for lemma, forms in (
        line.split(":")
        for line in """arise:arose,arisen bear:bore,borne birth:born beat:beaten become:became begin:began,begun
    bind:bound bite:bit,bitten blow:blew,blown break:broke,broken breed:bred bring:brought build:built burn:burnt
    buy:bought catch:caught choose:chose,chosen come:came creep:crept deal:dealt dig:dug draw:drew,drawn
    drink:drank,drunk drive:drove,driven eat:ate,eaten fall:fell,fallen feed:fed feel:felt fight:fought
    find:found flee:fled fly:flew,flown forbid:forbade,forbidden forget:forgot,forgotten freeze:froze,frozen
    get:got,gotten give:gave,given go:went,gone grow:grew,grown hang:hung hear:heard hide:hid,hidden hold:held
    keep:kept know:knew,known lay:laid lead:led lend:lent lose:lost make:made mean:meant meet:met pay:paid
    ride:rode,ridden ring:rang,rung rise:rose,risen run:ran say:said see:saw,seen seek:sought sell:sold
    send:sent shake:shook,shaken shine:shone shoot:shot show:shown shrink:shrank,shrunk sing:sang,sung
    sink:sank,sunk sit:sat sleep:slept speak:spoke,spoken spend:spent stand:stood steal:stole,stolen stick:stuck
    strike:struck swear:swore,sworn swim:swam,swum take:took,taken teach:taught tear:tore,torn tell:told
    think:thought throw:threw,thrown understand:understood wake:woke,woken wear:wore,worn weave:wove,woven
    win:won write:wrote,written child:children foot:feet man:men woman:women mouse:mice tooth:teeth goose:geese
    die:death,dead,died criterion:criteria phenomenon:phenomena""".split()
    )
    for form in forms.split(",")
}
_TOKEN = re.compile(rf"[{_NUMERALS}]{{2,}}|[{WIDE}]|\d+(?:[.,]\d+)+|[^\W_{WIDE}]+(?:'[a-z]+)?|[^\w\s]|{SENTENCE_MARK}")
_MEMO_LIMIT = 1 << 18

cut = _TOKEN.findall
"""Cut a folded text into tokens: words, single wide characters, Chinese numerals, punctuation, sentence marks."""

_memo: dict[str, str] = {}


def is_wide(unit: str) -> bool:
    """Tell whether a unit is a character of Chinese, Japanese or Korean."""
    return len(unit) == 1 and unit > "\u3040"


def _chinese_number(text: str) -> str:
    """Return the value of Chinese numerals as digits, or the text itself where it is no number by itself.

    >>> _chinese_number("三十五"), _chinese_number("二〇〇八"), _chinese_number("一亿二千万"), _chinese_number("百万")
    ('35', '2008', '120000000', '百万')
    """
    return text if text[0] in _POWERS and text[0] != "十" else str(chinese_number(text))


def _canonical(token: str) -> str:
    first = token[0]
    if first in _NUMERALS:
        return _chinese_number(token) if len(token) > 1 or first in _DIGITS or first == "十" else token
    if len(token) == 1 and not token.isalnum():
        return ""
    if first.isdigit():
        return token.replace(",", "")
    if len(token) == 1:
        return token
    return _WORD_NUMBERS.get(token) or terms(_IRREGULAR.get(token, token))[0]


def unit_of(token: str) -> str:
    """Return the unit of a token; the empty one for punctuation.

    >>> [unit_of(token) for token in cut("三所 schools, 35 and 三十五")]
    ['3', '所', 'school', '', '35', 'and', '35']
    """
    unit = _memo.get(token)
    if unit is None:
        if len(_memo) >= _MEMO_LIMIT:
            _memo.clear()
        unit = _memo[token] = _canonical(token)
    return unit
