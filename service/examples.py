"""One full example for every answer; it stands in the OpenAPI document, and a test holds it to the models."""

from typing import Any, Final

from emotion.bundle import DEFAULT_TERMS
from emotion.taxonomy import MIKELS

_MODEL_ID: Final = "68667689e42454dc"
_VERSION: Final = "20261122T101500.000000Z"
_PROBABILITIES = {
    "amusement": 0.041,
    "anger": 0.012,
    "awe": 0.583,
    "contentment": 0.227,
    "disgust": 0.009,
    "excitement": 0.074,
    "fear": 0.031,
    "sadness": 0.023,
}


def _gallery_picture(item_id: str, label: str, emotion: str, confidence: float) -> dict[str, Any]:
    return {
        "id": item_id,
        "label": label,
        "emotion": emotion,
        "emotions": None,
        "polarity": MIKELS.polarity_of(emotion),
        "confidence": confidence,
        "url": f"/images/{item_id}",
        "thumbnail_url": f"/images/{item_id}/thumbnail",
        "metadata": {"photographer": "unknown"},
        "external_id": None,
    }


_PICTURES = (
    _gallery_picture("0f8b4a6d2c1e3f5a7b9c0d1e2f3a4b5c", "awe", "awe", 0.641),
    _gallery_picture("9d3c5e7f1a2b4c6d8e0f1a2b3c4d5e6f", "contentment", "awe", 0.498),
)
_RESULTS = [
    {**picture, "rank": rank, "distance": distance}
    for rank, (picture, distance) in enumerate(zip(_PICTURES, (0.3127, 0.3654), strict=True), start=1)
]

CLASSIFICATION: Final[dict[str, Any]] = {
    "emotion": "awe",
    "emotions": None,
    "polarity": "positive",
    "confidence": 0.583,
    "probabilities": _PROBABILITIES,
    "polarity_probabilities": {"positive": 0.925, "negative": 0.075},
    "familiarity": 0.62,
    "unfamiliar": False,
    "model_id": _MODEL_ID,
}
SEARCH: Final[dict[str, Any]] = {
    "query": CLASSIFICATION,
    "results": _RESULTS,
    "index_version": _VERSION,
    "model_id": _MODEL_ID,
}
NEIGHBOURS: Final[dict[str, Any]] = {
    "picture": _gallery_picture("5c4b3a2f1e0d9c8b7a6f5e4d3c2b1a0f", "awe", "awe", 0.702),
    "results": _RESULTS,
    "index_version": _VERSION,
    "model_id": _MODEL_ID,
}
MOOD_SEARCH: Final[dict[str, Any]] = {
    "mood": "awe",
    "results": _RESULTS,
    "index_version": _VERSION,
    "model_id": _MODEL_ID,
}
_ITEM_PROBLEM = {
    "title": "Not a JPEG, PNG or WebP picture",
    "status": 415,
    "detail": "picture is not a JPEG, PNG or WebP picture",
    "code": "unsupported_format",
}
EMBED: Final[dict[str, Any]] = {"embedding": [0.0312, 0.0, 0.1177], "precision": "fp32", "model_id": _MODEL_ID}
CLASSIFY_BATCH: Final[dict[str, Any]] = {
    "items": [{"classification": CLASSIFICATION, "error": None}, {"classification": None, "error": _ITEM_PROBLEM}],
    "model_id": _MODEL_ID,
}
SEARCH_BATCH: Final[dict[str, Any]] = {
    "items": [
        {"query": CLASSIFICATION, "results": _RESULTS, "error": None},
        {"query": None, "results": None, "error": _ITEM_PROBLEM},
    ],
    "index_version": _VERSION,
    "model_id": _MODEL_ID,
}
ADD: Final[dict[str, Any]] = {
    "items": [{"created": True, "picture": _PICTURES[0], "error": None}],
    "index_version": _VERSION,
    "model_id": _MODEL_ID,
}
PAGE: Final[dict[str, Any]] = {
    "pictures": list(_PICTURES),
    "next_cursor": "9d3c5e7f1a2b4c6d8e0f1a2b3c4d5e6f",
    "index_version": _VERSION,
    "model_id": _MODEL_ID,
}
DETAILS: Final[dict[str, Any]] = {
    "pictures": [
        {
            **_PICTURES[0],
            "probabilities": _PROBABILITIES | {"awe": 0.641, "contentment": 0.169},
            "polarity_probabilities": {"positive": 0.925, "negative": 0.075},
            "width": 1024,
            "height": 683,
        }
    ],
    "index_version": _VERSION,
    "model_id": _MODEL_ID,
}
MAP: Final[dict[str, Any]] = {
    "ids": [picture["id"] for picture in _PICTURES],
    "x": [1180, 6042],
    "y": [7350, 2917],
    "emotion": [2, 2],
    "label": [0, 1],
    "emotions": list(_PROBABILITIES),
    "labels": ["awe", "contentment"],
    "count": 478,
    "added": 2,
    "method": "t-SNE",
    "kept": 0.4213,
    "index_version": _VERSION,
    "model_id": _MODEL_ID,
}
STARTED_JOB: Final[dict[str, Any]] = {
    "id": "7e57ab1e0c0ffee0d15ea5e0facade00",
    "kind": "rebuild",
    "state": "queued",
    "created": "2026-11-22T10:14:40Z",
    "started": None,
    "finished": None,
    "progress": None,
    "counts": None,
    "index_version": None,
    "error": None,
}
JOB: Final[dict[str, Any]] = {
    **STARTED_JOB,
    "state": "succeeded",
    "started": "2026-11-22T10:14:40Z",
    "finished": "2026-11-22T10:15:01Z",
    "progress": {"stage": "publish", "done": 478, "total": 478},
    "counts": {"embedded": 2, "reused": 476, "duplicates": 0, "skipped": 0},
    "index_version": _VERSION,
}
STARTED_COMPACTION: Final[dict[str, Any]] = {**STARTED_JOB, "kind": "compact"}
JOBS: Final[dict[str, Any]] = {"jobs": [JOB]}
ROLLBACK: Final[dict[str, Any]] = {"index_version": _VERSION, "previous_version": "20261122T121500.000000Z"}
LIVE: Final[dict[str, Any]] = {"status": "alive"}
READY: Final[dict[str, Any]] = {
    "status": "ready",
    "model_id": _MODEL_ID,
    "index_version": _VERSION,
    "warnings": [],
}
INFO: Final[dict[str, Any]] = {
    "name": "feelalike",
    "version": "0.1.0",
    "model": {
        "model_id": _MODEL_ID,
        "name": "default",
        "taxonomy": MIKELS.model_dump(mode="json"),
        "backbone": "tf_efficientnet_lite0",
        "embedding_dim": 680,
        "precision": "fp32",
        "runtime": "openvino",
        "device": "cpu",
        "thresholds": None,
        "metrics": {"cross-validation": {"accuracy": 0.55, "mAP8": 0.43}},
        "terms": DEFAULT_TERMS,
        "training_data": "fi-mini",
    },
    "index": {
        "version": _VERSION,
        "count": 478,
        "added": 2,
        "metric": "euclidean",
        "kind": "flat",
        "recall": 1.0,
        "device": "cpu",
        "created": "2026-11-22T10:15:00Z",
    },
    "limits": {
        "max_upload_bytes": 20971520,
        "max_pixels": 60000000,
        "max_k": 100,
        "max_batch_pictures": 16,
        "max_batch_bytes": 67108864,
    },
    "admin_enabled": True,
}

EXAMPLES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("post", "/classify"): CLASSIFICATION,
    ("post", "/search"): SEARCH,
    ("get", "/search"): MOOD_SEARCH,
    ("post", "/embed"): EMBED,
    ("post", "/classify/batch"): CLASSIFY_BATCH,
    ("post", "/search/batch"): SEARCH_BATCH,
    ("post", "/images"): ADD,
    ("get", "/images"): PAGE,
    ("get", "/images/details"): DETAILS,
    ("get", "/images/{id}/neighbours"): NEIGHBOURS,
    ("get", "/map"): MAP,
    ("post", "/admin/index/rebuild"): STARTED_JOB,
    ("post", "/admin/index/compact"): STARTED_COMPACTION,
    ("post", "/admin/index/rollback"): ROLLBACK,
    ("get", "/admin/jobs"): JOBS,
    ("get", "/admin/jobs/{id}"): JOB,
    ("delete", "/admin/jobs/{id}"): JOB,
    ("get", "/livez"): LIVE,
    ("get", "/readyz"): READY,
    ("get", "/info"): INFO,
}
"""By method and route."""
