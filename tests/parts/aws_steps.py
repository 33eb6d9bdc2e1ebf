"""What an agent does with boto3: each function is one step of a script, run in a process of the agent's.

Clients are made as every program makes them: keys, region and endpoint come from the environment.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import urllib.error
import urllib.request
from typing import Any, Final

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

MIB: Final = 1 << 20
ODD_KEYS: Final = (
    "a b", "a+b", "é/ñ", "x//y", "a/../b", "%41", "q?x=1&y", "~!*()'", "a#b", "a\\b", "😀", "a;b=c,d:e@f$g", "trail/",
    "k" * 900,
)  # fmt: skip


def call(service: str, operation: str, params: dict[str, Any], **config: Any) -> Any:
    """Call one operation and return its answer without what is about the transport."""
    answer = getattr(boto3.client(service, config=Config(**config)), operation)(**params)
    answer.pop("ResponseMetadata", None)
    return answer


def bucket(bucket: str) -> Any:
    """Make one bucket in the region of the environment."""
    client = boto3.client("s3")
    where = {"LocationConstraint": client.meta.region_name}
    return call("s3", "create_bucket", {"Bucket": bucket, "CreateBucketConfiguration": where})


def put(bucket: str, key: str, size: int, **params: Any) -> Any:
    """Put one object of so many bytes."""
    return call("s3", "put_object", {"Bucket": bucket, "Key": key, "Body": content(size), **params})


def trailing(bucket: str, key: str) -> Any:
    """Put one object and return what its request said of the body: its digest, or where that comes."""
    client, said = boto3.client("s3"), []
    client.meta.events.register("before-send.s3.PutObject", lambda request, **_: said.append(dict(request.headers)))
    client.put_object(Bucket=bucket, Key=key, Body=io.BytesIO(content(MIB)))
    return {name.lower(): str(value, "ascii") for name, value in said[0].items() if isinstance(value, bytes)}


def odd_keys(bucket: str) -> Any:
    """Write, look at, copy, list and delete objects whose keys are hard to write in a URL."""
    client, seen = boto3.client("s3"), []
    for key in ODD_KEYS:
        client.put_object(Bucket=bucket, Key=f"odd/{key}", Body=key.encode())
        body = client.get_object(Bucket=bucket, Key=f"odd/{key}")["Body"].read()
        client.copy_object(Bucket=bucket, Key=f"odd2/{key}", CopySource={"Bucket": bucket, "Key": f"odd/{key}"})
        copied = client.get_object(Bucket=bucket, Key=f"odd2/{key}")["Body"].read()
        seen.append([body == key.encode(), copied == body])
        client.delete_object(Bucket=bucket, Key=f"odd2/{key}")
    listed = [each["Key"] for each in client.list_objects_v2(Bucket=bucket, Prefix="odd/")["Contents"]]
    objects = [{"Key": key} for key in listed]
    gone = client.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]
    return {"same": seen, "listed": sorted(listed), "gone": sorted(each["Key"] for each in gone)}


def multipart(bucket: str, key: str) -> Any:
    """Upload in parts and download in ranges, as the transfer manager does."""
    client, body = boto3.client("s3"), content(12 * MIB)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
    client.upload_fileobj(io.BytesIO(body), bucket, key, Config=config)
    back = io.BytesIO()
    client.download_fileobj(bucket, key, back, Config=config)
    return {"same": back.getvalue() == body, "bytes": client.head_object(Bucket=bucket, Key=key)["ContentLength"]}


def presigned(bucket: str, key: str) -> Any:
    """Sign a PUT and a GET for somebody else, who does both with a plain HTTP client."""
    client = boto3.client("s3", config=Config(signature_version="s3v4"))
    names = {"Bucket": bucket, "Key": key}
    put_status, _ = fetch(client.generate_presigned_url("put_object", names), b"by whoever has the link")
    status, body = fetch(client.generate_presigned_url("get_object", names, ExpiresIn=60))
    return {"put": put_status, "get": status, "body": body}


def fetch(url: str, body: bytes | None = None) -> tuple[int, str]:
    """Do one request without any key, a PUT when there is a body; return status and text."""
    request = urllib.request.Request(url, data=body, method="GET" if body is None else "PUT")  # noqa: S310 - loopback
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def checksums(bucket: str, key: str) -> Any:
    """Write with each checksum the SDK can make by itself, and have it check them on the way back."""
    client, seen = boto3.client("s3"), {}
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        made = client.put_object(Bucket=bucket, Key=key, Body=content(MIB), ChecksumAlgorithm=algorithm)
        back = client.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        name = f"Checksum{algorithm}"
        seen[algorithm] = [made.get(name), hashlib.sha256(back["Body"].read()).hexdigest()]
    return seen


def denied_then_served(bucket: str, denied: str, allowed: str, size: int) -> Any:
    """Have a large upload refused and go on with the same client."""
    client, codes = boto3.client("s3"), []
    for _ in range(2):
        try:
            client.put_object(Bucket=bucket, Key=denied, Body=io.BytesIO(bytes(size)))
        except ClientError as error:
            codes.append([error.response["Error"]["Code"], error.response["Error"]["Message"]])
        client.put_object(Bucket=bucket, Key=allowed, Body=b"small")
    return {"codes": codes, "body": client.get_object(Bucket=bucket, Key=allowed)["Body"].read()}


def outcome_of(service: str, operation: str, params: dict[str, Any], mode: str) -> Any:
    """Call in one retry mode and tell what a program would see."""
    config = Config(retries={"mode": mode, "total_max_attempts": 3}, read_timeout=20)
    try:
        getattr(boto3.client(service, config=config), operation)(**params)
    except ClientError as error:
        return {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
    except BotoCoreError as error:
        return {"code": type(error).__name__, "message": ""}
    return {"code": "", "message": ""}


def download(bucket: str, key: str) -> Any:
    """Read a body to its end, telling on standard output when it began."""
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    count = 0
    try:
        for piece in body.iter_chunks(64 << 10):
            count += len(piece)
    except BotoCoreError as error:
        return {"bytes": count, "error": type(error).__name__}
    return {"bytes": count, "error": ""}


def content(size: int) -> bytes:
    """Return so many bytes that are always the same and repeat nowhere near."""
    block = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(MIB // 32))
    return (block * (size // MIB + 1))[:size]


def plain(value: object) -> Any:
    """Return what JSON lacks, for `json.dumps`."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if hasattr(value, "read"):
        return {"sha256": hashlib.sha256(value.read()).hexdigest()}
    return str(value)


def parsed(text: str) -> Any:
    """Return what a command printed: JSON when it is, the text otherwise."""
    try:
        return json.loads(text)
    except ValueError:
        return text
