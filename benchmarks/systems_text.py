"""Systems for texts and sequences; see ``systems.py``."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from systems import Figure, System, data_folder

import pellucid
from pellucid import optim
from pellucid.models import GPT, GPTConfig
from pellucid.text import (
    LanguageModelConfig,
    NGramModel,
    split_words,
    train_classifier,
    train_language_model,
    train_sequences,
    train_word2vec,
)
from pellucid.text.language_model import TextParts, fit_tokenizer, measure
from pellucid.text.sequence_run import read_pairs
from pellucid.text.sequences import PairParts


def _file(folder: str, name: str) -> Path:
    """A file of the test data."""
    return data_folder(f"{folder}/{name}")


def shakespeare(quick: bool) -> Figure:
    """nanoGPT's settings for CPUs: 4 layers, 4 heads, 128 wide, context 64, batch 12, 2,000 steps,
    the last tenth of the text for validation."""
    text = _file("text", "tinyshakespeare.txt").read_text(encoding="utf-8")
    steps = 100 if quick else 2000
    model, history = train_language_model(
        text, model="gpt", steps=steps, test_share=0.0, progress=False
    )
    loss = min(history["validation_loss"])
    parts = TextParts.of(text, model.config)
    known = len(model.tokenizer)
    ngrams = NGramModel(model.tokenizer.encode(parts.train[0]), known, 6)
    counted = math.log(ngrams.perplexity(model.tokenizer.encode(parts.validation[0])))
    return Figure(f"{loss:.3f} (6-gram model {counted:.3f})", loss <= 1.88)


def gpt_speed(quick: bool) -> Figure:
    """Steps of the same network by PyTorch and by us, in turns."""
    torch = __import__("torch")
    ids = np.random.default_rng(0).integers(0, 65, (12, 65))
    ours, theirs = _our_step(ids), _torch_step(torch, ids)
    turns, count = (2, 5) if quick else (4, 40)
    ours(3), theirs(3)
    seconds = {ours: math.inf, theirs: math.inf}
    for _ in range(turns):
        for run in (ours, theirs):
            begun = time.perf_counter()
            run(count)
            seconds[run] = min(seconds[run], (time.perf_counter() - begun) / count)
    a, b = seconds[ours] * 1e3, seconds[theirs] * 1e3
    return Figure(f"{a:.1f} ms, PyTorch {b:.1f} ms: {a / b:.2f} of its time", a <= b / 2)


def _our_step(ids: Any) -> Any:
    model = GPT(GPTConfig(65, 64, 4, 4, 128, bias=False))
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)
    x, y = pellucid.tensor(ids[:, :-1].copy()), pellucid.tensor(ids[:, 1:].copy())

    @pellucid.compile
    def step() -> Any:
        optimizer.zero_grad()
        loss = model.loss(x, y)
        loss.backward()
        pellucid.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    def run(count: int) -> None:
        for _ in range(count):
            loss = step()
        loss.item()

    return run


def _torch_step(torch: Any, ids: Any) -> Any:
    """The network of nanoGPT, by PyTorch's own layers, fused attention and fused AdamW."""
    from torch import nn

    torch.set_num_threads(pellucid.get_num_threads())

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = (nn.LayerNorm(128, bias=False) for _ in range(2))
            self.c_attn, self.proj = nn.Linear(128, 384, False), nn.Linear(128, 128, False)
            self.up, self.down = nn.Linear(128, 512, False), nn.Linear(512, 128, False)

        def forward(self, x: Any) -> Any:
            n, t, e = x.shape
            q, k, v = (
                z.view(n, t, 4, 32).transpose(1, 2) for z in self.c_attn(self.ln_1(x)).split(128, 2)
            )
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).reshape(n, t, e))
            return x + self.down(nn.functional.gelu(self.up(self.ln_2(x))))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(65, 128), nn.Embedding(64, 128)
            self.h, self.ln_f = nn.Sequential(*(Block() for _ in range(4))), nn.LayerNorm(128)

        def forward(self, ids: Any) -> Any:
            x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
            return self.ln_f(self.h(x)) @ self.wte.weight.T

    model = Network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    x, y = torch.tensor(ids[:, :-1]), torch.tensor(ids[:, 1:])

    def run(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        loss.item()

    return run


def names_mlp(quick: bool) -> Figure:
    """A window of three letters, as in the lecture, and longer."""
    return _names(quick, 2.17, model="mlp", features=200, learning_rate=0.003)


def names_rnn(quick: bool) -> Figure:
    """A GRU over the letters of each name."""
    return _names(quick, 2.45, model="gru", features=128, layers=1, learning_rate=0.005)


def names_gpt(quick: bool) -> Figure:
    """makemore's Transformer: 4 layers, 4 heads, 64 wide."""
    return _names(quick, 2.45, model="gpt", features=64, layers=4, heads=4, learning_rate=0.002)


def _names(quick: bool, reference: float, **settings: Any) -> Figure:
    text = _file("text", "names.txt").read_text(encoding="utf-8")
    steps = 50 if quick else 8000
    config = LanguageModelConfig.suited(
        lines=True, context=16, batch_size=64, steps=steps, weight_decay=0.01,
        **settings,
    )  # fmt: skip
    model, _ = train_language_model(text, config, progress=False)
    parts = TextParts.of(text, config)
    tokenizer = fit_tokenizer(parts.train, config)
    counted = [tokenizer.encode(name, ends=True) for name in parts.train]
    pairs = NGramModel(counted, len(tokenizer), 2)
    logs = [pairs.log_probabilities(tokenizer.encode(n, ends=True))[1:] for n in parts.test]
    own = measure(model, parts.test)["loss"]
    counted_loss = -float(np.concatenate(logs).mean())
    return Figure(f"test loss {own:.3f} (pairs {counted_loss:.3f})", own <= reference)


def addition(quick: bool) -> Figure:
    """Sums of two numbers below 1,000: a peeking decoder, the source read backwards."""
    return _pairs(quick, "addition.txt.gz", 0.995, attention="peek", epochs=20)


def dates(quick: bool) -> Figure:
    """Dates in many forms, attention, no source in two parts."""
    return _pairs(quick, "date.txt.gz", 1.0, epochs=5)


def _pairs(quick: bool, name: str, reference: float, **settings: Any) -> Figure:
    pairs = read_pairs(_file("sequence", name))
    if quick:
        pairs, settings["epochs"] = pairs[:2000], 1
    model, history = train_sequences(pairs, progress=False, **settings)
    test = PairParts.of(pairs, model.config).test
    exact = model.exact_match(test)
    text = f"{exact:.2%} of {len(test):,} unseen, trained in {history.seconds:.0f} s"
    return Figure(text, exact >= reference)


def word2vec(quick: bool) -> Figure:
    """Words a second, of ours and of gensim's, on two threads."""
    words = split_words(_file("text", "tinyshakespeare.txt").read_text(encoding="utf-8"))
    texts = [words[at : at + 1000] for at in range(0, len(words), 1000)]
    texts = texts[:20] if quick else texts * 3
    found = []
    slower = False
    kinds = (("skipgram", 5), ("cbow", 5), ("skipgram", 0), ("cbow", 0))
    for model, negative in kinds:
        ours = sum(map(len, texts)) / _epoch_seconds(texts, model, negative)
        name = f"{model} {'sampling' if negative else 'tree'}"
        theirs = _gensim(texts, model, negative, 2)[1]
        found.append(f"{name} {ours / 1e3:.0f}k : {theirs / 1e3:.0f}k")
        slower |= ours < theirs
    return Figure("words/s " + ", ".join(found), not slower)


def _epoch_seconds(texts: Any, model: str, negative: int) -> float:
    """The shortest of two epochs after the first, in which programs are made."""
    times: list[float] = []

    def told(epoch: int, loss: float) -> None:
        times.append(time.perf_counter())

    train_word2vec(texts, model=model, negative=negative, epochs=3, told=told)
    return float(min(np.diff(times)))


def _gensim(texts: Any, model: str, negative: int, epochs: int, **settings: Any) -> Any:
    """gensim's vectors and its words a second."""
    from gensim.models import Word2Vec

    made = Word2Vec(
        sg=int(model == "skipgram"), hs=int(negative == 0), negative=negative, workers=2, seed=1,
        min_count=5, **{"vector_size": 100, "window": 5, "sample": 1e-3, **settings},
    )  # fmt: skip
    made.build_vocab(texts)
    begun = time.perf_counter()
    raw = made.train(texts, total_examples=len(texts), epochs=epochs)[1]
    return made.wv, raw / (time.perf_counter() - begun)


def meanings(quick: bool) -> Figure:
    """Analogies of a text whose meanings are known: trades of men and of women."""
    texts = _roles(2000 if quick else 20_000)
    settings = {"window": 2, "sample": 0.0}
    found, worse = [], False
    for model in ("skipgram", "cbow"):
        own = train_word2vec(texts, model=model, features=32, epochs=5, seed=1, **settings)
        theirs, _ = _gensim(texts, model, 5, 5, vector_size=32, **settings)
        asked = [(i, j) for i in range(10) for j in range(10) if i != j]
        ours = np.mean([
            own.analogy(f"m{i}", f"m{j}", f"f{i}", 1)[0][0] == f"f{j}" for i, j in asked
        ])  # fmt: skip
        others = np.mean([
            theirs.most_similar([f"m{j}", f"f{i}"], [f"m{i}"], 1)[0][0] == f"f{j}" for i, j in asked
        ])  # fmt: skip
        found.append(f"{model} {ours:.0%} : {others:.0%}")
        worse |= bool(ours < others)
    return Figure("analogies right " + ", ".join(found), not worse)


def similarities(quick: bool) -> Figure:
    """Rank correlation of cosines with the true similarities of words whose meanings are points:
    a sentence has a point as well, and words that lie near it."""
    words, sentences = (200, 2000) if quick else (800, 12_000)
    points, texts = _points(words, sentences)
    truth = points @ points.T
    found, worse = [], False
    for model, negative in (("skipgram", 5), ("cbow", 5), ("skipgram", 0), ("cbow", 0)):
        settings = {"model": model, "negative": negative}
        own = train_word2vec(texts, features=50, epochs=5, seed=1, **settings)
        theirs, _ = _gensim(texts, model, negative, 5, vector_size=50)
        known = [word for word in range(words) if f"w{word}" in theirs]
        wanted = truth[np.ix_(known, known)]
        ours, others = (
            _rank_correlation(np.array([vectors[f"w{word}"] for word in known]), wanted)
            for vectors in (own, theirs)
        )
        name = f"{model} {'sampling' if negative else 'tree'}"
        found.append(f"{name} {ours:.3f} : {others:.3f}")
        worse |= ours < others - 0.01
    return Figure("similarities " + ", ".join(found), not worse)


def _points(words: int, sentences: int) -> tuple[Any, list[list[str]]]:
    """Points of words on a sphere of four dimensions, frequent words first, and a text."""
    drawn = np.random.default_rng(0)
    points = drawn.standard_normal((words, 5))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    texts = []
    for _ in range(sentences):
        centre = drawn.standard_normal(5)
        chances = np.exp(4 * points @ (centre / np.linalg.norm(centre))) / (np.arange(words) + 10)
        chosen = drawn.choice(words, 12, p=chances / chances.sum())
        texts.append([f"w{word}" for word in chosen])
    return points, texts


def _rank_correlation(vectors: Any, truth: Any) -> float:
    """Spearman's, of the cosines of all pairs of vectors with their true similarities."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = np.triu_indices(len(unit), 1)
    ranks = [np.argsort(np.argsort(values[pairs])) for values in (unit @ unit.T, truth)]
    return float(np.corrcoef(*ranks)[0, 1])


def _roles(sentences: int) -> list[list[str]]:
    drawn = np.random.default_rng(0)
    texts = []
    for _ in range(sentences):
        trade, sex = drawn.integers(0, 10), "mf"[drawn.integers(0, 2)]
        around = [f"trade{trade}_{k}" for k in drawn.integers(0, 3, 2)]
        around += [f"sex{sex}_{k}" for k in drawn.integers(0, 3, 2)]
        drawn.shuffle(around)
        texts.append([*around[:2], f"{sex}{trade}", *around[2:]])
    return texts


def waimai(quick: bool) -> Figure:
    """Delivery reviews, five splits: ``text.train_classifier`` beside scikit-learn."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    with _file("text", "waimai_10k.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts, labels = [row["review"] for row in rows], [row["label"] for row in rows]
    ours, theirs = [], []
    for seed in range(1 if quick else 5):
        order = np.random.default_rng(seed).permutation(len(texts))
        cut = len(texts) // 10
        test, train = order[:cut], order[cut:2000] if quick else order[cut:]
        chosen = [texts[i] for i in train], [labels[i] for i in train]
        held = [texts[i] for i in test]
        wanted = np.array([labels[i] for i in test])
        made = train_classifier(*chosen, seed=seed)
        ours.append(float(np.mean(np.array(made.predict(held)) == wanted)))
        counts = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True)
        simple = LogisticRegression(C=3.0, max_iter=1000)
        simple.fit(counts.fit_transform(chosen[0]), chosen[1])
        theirs.append(float(np.mean(simple.predict(counts.transform(held)) == wanted)))
    gain, spread = np.subtract(ours, theirs).mean(), float(np.std(theirs))
    text = f"{np.mean(ours):.2%}, linear {np.mean(theirs):.2%} ± {spread:.2%}"
    return Figure(text, bool(gain > spread))


SYSTEMS = [
    System("Shakespeare GPT", "1.88 (nanoGPT on CPUs)", shakespeare),
    System("GPT speed", "half of PyTorch's time a step", gpt_speed),
    System("names MLP", "2.17 (makemore's lecture)", names_mlp),
    System("names GRU", "2.45 (counts of pairs)", names_rnn),
    System("names GPT", "2.45 (counts of pairs)", names_gpt),
    System("addition", "98 % (book 2, ch. 7)", addition),
    System("dates", "about 100 % (book 2, ch. 8)", dates),
    System("word2vec speed", "gensim on 2 threads, same text", word2vec),
    System("word2vec analogies", "gensim, same text", meanings),
    System("word2vec similarities", "gensim, same text", similarities),
    System("Chinese reviews", "TF-IDF and logistic regression", waimai),
]
