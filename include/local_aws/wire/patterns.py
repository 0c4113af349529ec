r"""The service model's regular expressions, which are Java's, as Python's.

Nine of SageMaker's 252 and two of its runtime's use what `re` lacks: ``\p{…}`` classes, surrogate pairs and ``\z``.
Each is translated by hand below (categories by their nearest Python classes: ``\w`` is letters, digits and the
underscore of any script). Two of them end in ``${1,128}``, a slip of the model's authors: the length is in the shape's
min and max as well, so it is dropped.
"""

import re
from functools import cache

_SPACES = " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CONTROL = "\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\uf8ff\ufeff"

TRANSLATIONS = {
    r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*": "[\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff\t]*",
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+": f"[^{_CONTROL}{_SPACES}]+",
    r"[\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}]*": f"[^{_CONTROL}]*",
    r"[\p{L}\p{M}\p{Z}\p{N}\p{P}]{0,1024}": f"[^{_CONTROL}]{{0,1024}}",
    r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,128}": rf"[\w{_SPACES}.:/=+\-@]*",
    r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,256}": rf"[\w{_SPACES}.:/=+\-@]*",
    r"([\p{L}\p{Z}\p{N}_.:/=+\-]*)": rf"[\w{_SPACES}.:/=+\-]*",
    r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)": rf"[\w{_SPACES}.:/=+\-@]*",
    r"\p{ASCII}*": r"[\x00-\x7f]*",
    r"\A\S[\p{Print}]*\z": r"[^\s][\x20-\x7e]*",
    r"arn:[\p{Alnum}\-]+:lambda:[\p{Alnum}\-]+:[0-9]{12}:function:.*": (
        r"arn:[A-Za-z0-9\-]+:lambda:[A-Za-z0-9\-]+:[0-9]{12}:function:.*"
    ),
}


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The Python expression for a pattern of the service model; raises `re.error` for one that needs a translation."""
    return re.compile(TRANSLATIONS.get(pattern, pattern))
