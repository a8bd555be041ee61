"""Every series of /metrics that is the service's own."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from reference_pages.fields import line
from service.metrics import Metrics

NAMESPACE: Final = "feelalike_"
_HEADER: Final = """# Metrics

`GET /metrics` is in Prometheus's text format. Beside these it has the process's own (`process_resident_memory_bytes`,
`process_open_fds`, ...). Which of them to watch, with rules and a dashboard: [operations](operations.md#what-to-watch).

| series | kind | labels | meaning |
|---|---|---|---|
"""
_NOTES: Final = """
`stage` is one of receive, decode, wait (for the model's answer), model, search, thumbnail.
`route` is the template, never the path of a request; `code` is one of [errors](errors.md).
"""


def metrics_page() -> str:
    """The whole page."""
    return _HEADER + "".join(_row(family) for family in _families()) + _NOTES


def _families() -> Iterator[Metric]:
    """Ours, each observed once, so that its labels show."""
    metrics = Metrics()
    metrics.request("GET", "/", 200, 0.1)
    metrics.refusal("overloaded")
    metrics.took("model", 0.1)
    metrics.index("version", "model", 1)
    found = text_string_to_metric_families(metrics.exposition().decode())
    return (family for family in found if family.name.startswith(NAMESPACE) and not family.name.endswith("_created"))


def _row(family: Metric) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
    return line((f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation))
