"""Typical wrong answers to lesson 33, and the hint that each must get."""

from course.wrong import Wrong

_CLAIMS = "claims = dict(zip('abcde', [{}]))"

WRONG = [
    Wrong(
        "33.1",
        "import numpy as np\n"
        "def split_by_group(groups, share, seed=0):\n"
        "    return np.random.default_rng(seed).random(len(groups)) < share",
        "both sides",
    ),
    Wrong(
        "33.1",
        "import numpy as np\n"
        "def split_by_group(groups, share, seed=0):\n"
        "    names = np.unique(groups)\n"
        "    return np.isin(groups, names[: round(share * len(names))])",
        "always the same groups",
    ),
    Wrong(
        "33.1",
        "import numpy as np\n"
        "def split_by_group(groups, share, seed=0):\n"
        "    names = np.random.default_rng(seed).permutation(np.unique(groups))\n"
        "    return names[: round(share * len(names))]",
        "each row",
    ),
    Wrong(
        "33.2",
        "import numpy as np\n"
        "def half_width(errors, coverage):\n"
        "    place = int(np.ceil((len(errors) + 1) * coverage))\n"
        "    return np.sort(np.abs(errors))[place]",
        "counted from 1",
    ),
    Wrong(
        "33.2",
        "import numpy as np\n"
        "def half_width(errors, coverage):\n"
        "    place = int(np.ceil((len(errors) + 1) * coverage))\n"
        "    return np.sort(np.abs(errors))[min(place, len(errors)) - 1]",
        "What is honest",
    ),
    Wrong(
        "33.2",
        "import numpy as np\n"
        "def half_width(errors, coverage):\n"
        "    return np.sort(np.abs(errors))[int(np.ceil(len(errors) * coverage)) - 1]",
        "rounded up",
    ),
    Wrong(
        "33.3",
        "import numpy as np\n"
        "def baseline(train, test):\n    return np.abs(np.array(test) - np.mean(train)).mean()",
        "the mean of the targets",
    ),
    Wrong(
        "33.3",
        "import numpy as np\n"
        "def baseline(train, test):\n    return np.abs(np.array(test) - np.median(test)).mean()",
        "Are they known",
    ),
    Wrong("33.4", _CLAIMS.format("True, True, True, False, False"), "lift"),
    Wrong("33.4", _CLAIMS.format("True, False, True, True, False"), "next town"),
    Wrong("33.4", _CLAIMS.format("True, False, True, False, True"), "a mean"),
    Wrong("33.4", _CLAIMS.format("True, False, False, False, False"), "covered"),
]
