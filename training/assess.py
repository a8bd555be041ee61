"""What `evaluate` and the end of `fit` do: score through Predictor, write metrics and the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emotion.bundle import Bundle
from emotion.collection import MANIFEST_NAME
from emotion.console import say
from emotion.errors import DataError, RuntimeUnavailableError
from emotion.predictor import Predictor
from emotion.runtime import Device, open_runtime
from emotion.torch_runtime import TorchRuntime
from training.data.layouts import Layout
from training.data.samples import Sample
from training.data.votes import read_header
from training.evaluation.evaluate import evaluate, score
from training.evaluation.familiarity import familiarity_figures
from training.evaluation.report import write_report


def open_judge(bundle: Bundle, device: Device) -> Predictor:
    """The model as it is served; on the CPU through torch where openvino is not installed, as beside the gpu extra.

    Raises RuntimeUnavailableError when CUDA is asked for and absent.
    """
    try:
        return Predictor(bundle, open_runtime(bundle, device))
    except RuntimeUnavailableError:
        if device is Device.CUDA:
            raise
        return Predictor(bundle, TorchRuntime(bundle))


def assess(
    predictor: Predictor,
    queries: Sequence[Sample],
    report: Path,
    *,
    gallery: Sequence[Sample] | None = None,
    data_name: str,
    history: Sequence[Mapping[str, float | int | None]] = (),
) -> dict[str, Any]:
    """Evaluate a bundle on labelled pictures, write the report, return the figures."""
    scored = score(predictor, queries)
    scored_gallery = None if gallery is None else score(predictor, gallery, "gallery")
    evaluation = evaluate(scored, predictor.taxonomy, scored_gallery)
    write_report(
        report,
        bundle_manifest=predictor.bundle.manifest,
        evaluation=evaluation,
        queries=scored,
        gallery=scored_gallery,
        data_name=data_name,
        history=history,
    )
    protocol = "leave-one-out" if gallery is None else f"against a gallery of {len(gallery)} pictures"
    made_by = {"model_id": predictor.model_id, "precision": predictor.precision.value}
    return evaluation.figures() | familiarity_figures(scored) | {"protocol": protocol} | made_by


def refuse_multi_label(bundle: Bundle) -> None:
    """Raise DataError for a bundle that names several emotions a picture: these figures are about one."""
    if bundle.thresholds is not None:
        raise DataError(
            f"{bundle.path} names several emotions a picture; its figures are in the metrics.json of its "
            "`fit-multilabel`, and `experiment multilabel` compares such models"
        )


def gallery_label_column(gallery: Path, label_column: str | None, layout: Layout | None) -> str | None:
    """The queries' label column where the gallery is a manifest that has it too; else None: its own labels count."""
    if label_column is None or layout not in (None, Layout.MANIFEST):
        return None
    source = gallery.expanduser()
    manifest = source / MANIFEST_NAME if source.is_dir() else source
    return label_column if label_column in read_header(manifest) else None


def leave_out_queries(bundle: Bundle, gallery: Sequence[Sample], queries: Sequence[Sample]) -> list[Sample]:
    """The gallery without the queries: a query must not find itself. Warns of training pictures in the gallery."""
    asked = {sample.digest for sample in queries}
    others = [sample for sample in gallery if sample.digest not in asked]
    if len(others) < len(gallery):
        say(f"{len(gallery) - len(others)} pictures of the gallery are queries too and are left out of it")
    trained = sum(sample.digest in bundle.manifest.training_hashes for sample in others)
    if trained:
        say(f"warning: {trained} of {len(others)} gallery pictures trained this bundle, which flatters retrieval")
    if not others:
        raise DataError("every picture of the gallery is a query; leave --gallery out for leave-one-out")
    return others


def leave_out_training_pictures(bundle: Bundle, samples: Sequence[Sample], remedy: str = "name others") -> list[Sample]:
    """The samples the bundle was not trained on; says which were left out.

    Raises DataError with `remedy` when none is left: figures on training pictures would say nothing about new ones.
    """
    known = set(bundle.manifest.training_hashes)
    unseen = [sample for sample in samples if sample.digest not in known]
    left_out = [sample for sample in samples if sample.digest in known]
    if left_out:
        names = ", ".join(sample.path.name for sample in left_out[:5]) + (" ..." if len(left_out) > 5 else "")
        say(f"warning: {len(left_out)} of {len(samples)} pictures trained this bundle and are left out: {names}")
    if not unseen:
        raise DataError(f"this bundle was trained on every one of these pictures; {remedy}")
    return unseen
