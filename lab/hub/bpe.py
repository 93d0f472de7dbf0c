"""A byte-level BPE tokenizer, trained here on a fixed word list: the same bytes on every machine.

Written out as the `tokenizer.json` of the Hugging Face tokenizers library, in the shape that
Qwen's has. https://arxiv.org/abs/1508.07909 is the training, GPT-2's byte alphabet the spelling.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.hub.words import ENDINGS, ENGLISH, FORMS, MARKS

#: Qwen2's pre-tokenizer: words with one leading blank, single digits, runs of marks, white space
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
Pair = tuple[str, str]


def byte_alphabet() -> dict[int, str]:
    """GPT-2's printable character for each byte value."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in printable]
    table = {value: chr(value) for value in printable}
    table.update({value: chr(256 + place) for place, value in enumerate(others)})
    return dict(sorted(table.items()))


ALPHABET = byte_alphabet()


def spell(text: str) -> str:
    """`text` in the byte alphabet, which is how a vocabulary holds it."""
    return "".join(ALPHABET[value] for value in text.encode())


@dataclass(frozen=True)
class Tokenizer:
    """Vocabulary (token → id, ids without gaps), merges by rank, and the special tokens' ids."""

    vocabulary: Mapping[str, int]
    merges: Sequence[Pair]
    specials: Mapping[str, int]

    @property
    def size(self) -> int:
        """How many rows the embedding needs."""
        return len(self.vocabulary) + len(self.specials)

    def id_of(self, text: str) -> int:
        """The id of the one token that stands for `text`."""
        return self.specials[text] if text in self.specials else self.vocabulary[spell(text)]


def corpus() -> Counter[str]:
    """Weighted pre-tokens, in the byte alphabet; earlier words count more (Zipf)."""
    weights: Counter[str] = Counter()
    for rank, word in enumerate(dict.fromkeys(ENGLISH.split()), start=1):
        for form, share in FORMS:
            text = form.format(word, title=word.title(), upper=word.upper())
            weights[spell(text)] += 1 + share * 2000 // (rank + 20)
        for ending in ENDINGS:
            weights[spell(f" {word}{ending}")] += 1
    for mark in MARKS:
        weights[spell(mark)] += 20_000
    return weights


def train(weights: Mapping[str, int], merge_count: int) -> list[Pair]:
    """The merges, best first; ties go to the pair that sorts first, so the result is fixed."""
    words = [list(word) for word in weights]
    counts = list(weights.values())
    pairs: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, word in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += counts[number]
            places[pair].add(number)
    merges: list[Pair] = []
    while len(merges) < merge_count and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for number in places.pop(best):
            merge_word(words, counts, pairs, places, number, best)
        del pairs[best]
    return merges


def merge_word(
    words: list[list[str]],
    counts: Sequence[int],
    pairs: Counter[Pair],
    places: defaultdict[Pair, set[int]],
    number: int,
    best: Pair,
) -> None:
    """Apply one merge to one word and keep the pair statistics true."""
    before = words[number]
    after: list[str] = []
    position = 0
    while position < len(before):
        if tuple(before[position : position + 2]) == best:
            after.append(best[0] + best[1])
            position += 2
        else:
            after.append(before[position])
            position += 1
    for pair in zip(before, before[1:]):
        pairs[pair] -= counts[number]
        if pairs[pair] <= 0:
            del pairs[pair]
    for pair in zip(after, after[1:]):
        pairs[pair] += counts[number]
        places[pair].add(number)
    words[number] = after


def build(merge_count: int, extra: Iterable[str], specials: Sequence[str]) -> Tokenizer:
    """A tokenizer; `extra` are texts that get a token of their own although no merge leads to it.

    Such a token is never the result of encoding, but decodes like any other: what a model says.
    """
    merges = train(corpus(), merge_count)
    tokens = dict.fromkeys(ALPHABET.values())
    tokens.update(dict.fromkeys(left + right for left, right in merges))
    tokens.update(dict.fromkeys(spell(text) for text in extra))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    first = len(vocabulary)
    return Tokenizer(vocabulary, merges, {text: first + n for n, text in enumerate(specials)})


def byte_level() -> dict[str, Any]:
    """The component that turns bytes into the byte alphabet, and back."""
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }


def added_token(number: int, text: str) -> dict[str, Any]:
    """A special token: cut out of the text before anything else sees it."""
    return {
        "id": number,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def tokenizer_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of `tokenizer.json`."""
    split = {
        "type": "Split",
        "pattern": {"Regex": SPLIT},
        "behavior": "Isolated",
        "invert": False,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_token(number, text) for text, number in tokenizer.specials.items()],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level()]},
        "post_processor": byte_level(),
        "decoder": byte_level(),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(tokenizer.vocabulary),
            "merges": [list(pair) for pair in tokenizer.merges],
        },
    }
