"""Text as numbers: tokenizers, counts and similarities of words, word2vec, language models."""

from pellucid.text.classifier import TextClassifier as TextClassifier
from pellucid.text.classifier import train_classifier as train_classifier
from pellucid.text.counts import analogy as analogy
from pellucid.text.counts import co_occurrence as co_occurrence
from pellucid.text.counts import cosine as cosine
from pellucid.text.counts import most_similar as most_similar
from pellucid.text.counts import ppmi as ppmi
from pellucid.text.counts import reduced as reduced
from pellucid.text.language_model import LanguageModel as LanguageModel
from pellucid.text.language_model import train_language_model as train_language_model
from pellucid.text.language_run import load_language_model as load_language_model
from pellucid.text.markov import BigramModel as BigramModel
from pellucid.text.measures import ngram_overlap as ngram_overlap
from pellucid.text.measures import perplexity as perplexity
from pellucid.text.ngram import NGramModel as NGramModel
from pellucid.text.ngram import bits_per_character as bits_per_character
from pellucid.text.packing import by_length as by_length
from pellucid.text.packing import streams as streams
from pellucid.text.packing import windows_of as windows_of
from pellucid.text.sequence_run import load_sequences as load_sequences
from pellucid.text.sequences import SequenceModel as SequenceModel
from pellucid.text.sequences import train_sequences as train_sequences
from pellucid.text.settings import LanguageModelConfig as LanguageModelConfig
from pellucid.text.settings import SequenceConfig as SequenceConfig
from pellucid.text.tokenizer import Tokenizer as Tokenizer
from pellucid.text.vocabulary import Vocabulary as Vocabulary
from pellucid.text.vocabulary import split_words as split_words
from pellucid.text.word2vec import CBOW as CBOW
from pellucid.text.word2vec import Noise as Noise
from pellucid.text.word2vec import SkipGram as SkipGram
from pellucid.text.word2vec import windows as windows
from pellucid.text.word_vectors import WordVectors as WordVectors
from pellucid.text.word_vectors import train_word2vec as train_word2vec

__all__ = [
    "BigramModel",
    "CBOW",
    "LanguageModel",
    "LanguageModelConfig",
    "NGramModel",
    "Noise",
    "SequenceConfig",
    "SequenceModel",
    "SkipGram",
    "TextClassifier",
    "Tokenizer",
    "Vocabulary",
    "WordVectors",
    "analogy",
    "bits_per_character",
    "by_length",
    "co_occurrence",
    "cosine",
    "load_language_model",
    "load_sequences",
    "most_similar",
    "ngram_overlap",
    "perplexity",
    "ppmi",
    "reduced",
    "split_words",
    "streams",
    "train_classifier",
    "train_language_model",
    "train_sequences",
    "train_word2vec",
    "windows",
    "windows_of",
]


def __dir__() -> list[str]:
    return sorted(__all__)
