"""Members of AWS's answers that are always there, and what it means where one is not.

A connection that drops in the middle of an answer can leave botocore with a part of it, without an error: such an
answer is no news, and asking again helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_retraining.core.errors import AnswerIncomplete


def member(answer: Mapping[str, Any], name: str, of: str) -> Any:
    """The member of an answer that AWS's service model calls required.

    Args:
        answer: What AWS answered, or a structure in it.
        name: The member's name.
        of: How the error calls the answer.

    Raises:
        AnswerIncomplete: it is not there; worth a retry.
    """
    value = answer.get(name)
    if value is None:
        found = ", ".join(map(str, answer)) or "no member at all"
        raise AnswerIncomplete(
            f"{of}: expected AWS's answer to have {name}, as it always has, found {found}: "
            "did the connection break off? Try again"
        )
    return value
