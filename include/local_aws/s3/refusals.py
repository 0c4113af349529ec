"""What the built-in S3 server would misunderstand, refused in words before it reaches it.

It looks only at the parts of a query that it knows: ``PUT /bucket?website`` would create the bucket, ``DELETE
/bucket?website`` would delete it, ``PUT /bucket/key?renameObject`` would write an empty object. And its keys are paths:
empty and dot segments are merged.
"""

from urllib.parse import unquote
from xml.sax.saxutils import escape

Header = tuple[bytes, bytes]

_ANY = {"x-id"}
_KNOWN = {
    ("PUT", "bucket"): {
        "acl", "cors", "encryption", "lifecycle", "object-lock", "ownershipControls", "policy", "publicAccessBlock",
        "tagging", "versioning",
    },
    ("DELETE", "bucket"): {
        "cors", "encryption", "lifecycle", "ownershipControls", "policy", "publicAccessBlock", "tagging",
    },
    ("POST", "bucket"): {"delete"},
    ("PUT", "object"): {"acl", "legal-hold", "partNumber", "retention", "tagging", "uploadId", "versionId"},
    ("DELETE", "object"): {"tagging", "uploadId", "versionId"},
    ("POST", "object"): {"restore", "select", "select-type", "uploadId", "uploads", "versionId"},
}  # fmt: skip
"""What the server knows of a query's names where another one would make it do something else."""

_UNKNOWN_GETS = {
    "abac", "analytics", "intelligent-tiering", "inventory", "metadataConfiguration", "metadataTable", "metrics",
    "notification", "session", "torrent",
}  # fmt: skip
"""What it would answer with a listing, or with the object."""

_ENCRYPTION = b"x-amz-server-side-encryption"


def refusal(method: str, path: bytes, query: bytes) -> bytes | None:
    """The XML of a NotImplemented error (HTTP 501), or None where the server understands the request."""
    if not takes(path):
        return _error(
            "The S3 server of the embedded AWS does not take keys with empty or dot segments (such as a//b or a/../b), "
            "which AWS does. Use other keys."
        )
    _, bucket, *key = path.split(b"/", 2)
    if not bucket:
        return None
    kind = "object" if key and key[0] else "bucket"
    names = {unquote(part.partition(b"=")[0].decode("latin-1")) for part in query.split(b"&") if part} - _ANY
    names = {name for name in names if not name.lower().startswith(_SIGNATURE_NAMES)}
    known = _KNOWN.get((method, kind))
    unknown = names & _UNKNOWN_GETS if known is None else names - known
    if unknown:
        return _error(f"The embedded AWS does not implement {method} ?{min(unknown)} of an S3 {kind}.")
    return None


_SIGNATURE_NAMES = ("x-amz-", "awsaccesskeyid", "signature", "expires")


def takes(path: bytes) -> bool:
    """Whether the S3 server keeps such a key as it is: its keys are paths, and it merges or refuses odd segments."""
    *folders, last = unquote(path.decode("ascii", "replace")).split("/")[2:] or [""]
    return all(each not in ("", ".", "..") for each in folders) and last not in (".", "..")


def sets_encryption(method: str, query: bytes) -> bool:
    """Whether this is PutBucketEncryption, whose body says with what."""
    return method == "PUT" and query.partition(b"&")[0].partition(b"=")[0] == b"encryption"


def with_own_key(headers: list[Header]) -> list[Header]:
    """The same headers, asking for the server's own key (AES256) where they ask for a KMS key, which isn't there.

    The object is encrypted, and its description says with what: AES256.
    """
    if (_ENCRYPTION, b"aws:kms") not in headers:
        return headers
    others = [(name, value) for name, value in headers if not name.startswith(_ENCRYPTION)]
    return [*others, (_ENCRYPTION, b"AES256")]


def _error(message: str) -> bytes:
    return f"<Error><Code>NotImplemented</Code><Message>{escape(message)}</Message></Error>".encode()


NO_KMS = _error("The embedded AWS has no KMS keys: encryption aws:kms of an S3 bucket is not there. Use AES256.")
"""The answer to a bucket whose default encryption is to be a KMS key: the server would then refuse every object."""
