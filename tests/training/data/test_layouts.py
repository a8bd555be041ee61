"""Tiny imitations of the layouts people have, and what is read from them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow.csv import read_csv

from conftest import ROOT
from emotion.errors import DataError
from emotion.taxonomy import MIKELS, Taxonomy, read_taxonomy
from fakes import encoded
from training.data.layouts import Layout, read_layout
from training.data.samples import read_samples
from training.data.votes import Words

EMOTION6 = read_taxonomy("emotion6")
NEUTRAL = read_taxonomy("emotion6-neutral")
GROUND_TRUTH_HEADER = "\t".join(
    ["[image_filename]", "[valence]", "[arousal]", *(f"[prob. {name}]" for name in NEUTRAL.names)]
)
ABSTRACT_HEADER = "'','Amusement','Anger','Awe','Content','Disgust','Excitement','Fear','Sad'"


def paint(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = sum(map(ord, str(path.relative_to(folder))))
        path.write_bytes(encoded(seed, "JPEG" if path.suffix == ".jpg" else "PNG"))


def manifest(folder: Path) -> None:
    paint(folder, "a.png", "b.png")
    (folder / "manifest.csv").write_text("path,label\na.png,awe\nb.png,fear\n")


def folders(folder: Path) -> None:
    paint(folder, "awe/1.jpg", "fear/1.jpg")


def emotion6_manifest(folder: Path) -> None:
    """The columns of the research copy: named by the search keyword, which is no label."""
    paint(folder, "joy/1.jpg", "fear/2.jpg")
    names = ",".join(NEUTRAL.names)
    rows = ["joy/1.jpg,joy,awe,6.3,5.7,0,0,.1,.2,0,.7,0", "fear/2.jpg,fear,fear,2.8,4.8,.2,.2,.6,0,0,0,0"]
    (folder / "manifest.csv").write_text(f"path,search_keyword,argmax,valence,arousal,{names}\n" + "\n".join(rows))


def emotion6_original(folder: Path) -> None:
    paint(folder, "images/joy/1.jpg", "images/fear/2.jpg")
    rows = ["joy/1.jpg\t6.3\t5.7\t0\t0\t.1\t.2\t0\t.7\t0", "fear/2.jpg\t2.8\t4.8\t.2\t.2\t.6\t0\t0\t0\t0"]
    (folder / "ground_truth.txt").write_text("\n".join([GROUND_TRUTH_HEADER, *rows]) + "\n")


def abstract(folder: Path) -> None:
    paint(folder, "abstract_0001.jpg", "abstract_0002.jpg")
    rows = ["'abstract_0001.jpg',0,1,0,6,0,0,1,2", "'abstract_0002.jpg',0,1,0,0,0,2,1,10"]
    (folder / "ABSTRACT_groundTruth.csv").write_text("\n".join([ABSTRACT_HEADER, *rows]) + "\n")


def iapsa(folder: Path) -> None:
    """Pictures named by number, without suffix, in a folder beside the table."""
    paint(folder, "images/1050.jpg", "images/1710.jpg")
    (folder / "iapsa.csv").write_text("picture,fear,amusement,rated\n1050,9,1,x\n1710,0,8,y\n")


def emoset(folder: Path) -> None:
    paint(folder, "image/awe/awe_00001.jpg", "image/fear/fear_00002.jpg")
    for split, emotion, name in (("train", "awe", "awe_00001"), ("test", "fear", "fear_00002")):
        item = [emotion, name, f"image/{emotion}/{name}.jpg", f"annotation/{emotion}/{name}.json"]
        (folder / f"{split}.json").write_text(json.dumps([item]))
    (folder / "info.json").write_text("{}")


def emoset_annotations(folder: Path) -> None:
    paint(folder, "image/awe/awe_00001.jpg", "image/fear/fear_00002.jpg")
    for emotion, name in (("awe", "awe_00001"), ("fear", "fear_00002")):
        path = folder / "annotation" / emotion / f"{name}.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"image_id": name, "emotion": emotion, "brightness": 0.5}))


def artphoto(folder: Path) -> None:
    paint(folder, "amusement_0001.jpg", "sad_0002.jpg")


@pytest.mark.parametrize(
    ("make", "taxonomy", "layout", "labels"),
    [
        (manifest, MIKELS, Layout.MANIFEST, ["awe", "fear"]),
        (folders, MIKELS, Layout.FOLDERS, ["awe", "fear"]),
        (emotion6_manifest, EMOTION6, Layout.EMOTION6, ["surprise", "fear"]),
        (emotion6_original, EMOTION6, Layout.EMOTION6, ["surprise", "fear"]),
        (abstract, MIKELS, Layout.VOTES, ["contentment", "sadness"]),
        (iapsa, MIKELS, Layout.VOTES, ["fear", "amusement"]),
        (emoset, MIKELS, Layout.EMOSET, ["awe", "fear"]),
        (emoset_annotations, MIKELS, Layout.EMOSET, ["awe", "fear"]),
        (artphoto, MIKELS, Layout.ARTPHOTO, ["amusement", "sadness"]),
    ],
)
def test_each_layout_is_told_by_what_lies_there(
    tmp_path: Path, make: Callable[[Path], None], taxonomy: Taxonomy, layout: Layout, labels: list[str]
) -> None:
    make(tmp_path)
    listing = read_layout(tmp_path, taxonomy)
    assert listing.layout is layout
    assert read_layout(tmp_path, taxonomy, layout=layout) == listing
    samples, skipped = read_samples(tmp_path, taxonomy)
    assert [taxonomy.names[sample.label] for sample in samples] == labels
    assert all(sample.path.is_file() for sample in samples)
    assert skipped == []


def test_votes_are_shares_in_the_order_of_the_label_set(tmp_path: Path) -> None:
    abstract(tmp_path)
    first = read_samples(tmp_path, MIKELS).samples[0]
    by_name = dict(zip(MIKELS.names, first.votes or (), strict=True))
    assert by_name == pytest.approx(
        {"anger": 0.1, "contentment": 0.6, "fear": 0.1, "sadness": 0.2}
        | dict.fromkeys(("amusement", "awe", "disgust", "excitement"), 0)
    )
    assert first.valence is None


def test_content_is_contentment_and_sad_sadness_whatever_the_label_set(tmp_path: Path) -> None:
    """By hand: of six for content, two for sad and two others none is for Emotion6's sadness by majority."""
    abstract(tmp_path)
    assert read_layout(tmp_path, EMOTION6).unused == ()
    (kept,), (left_out,) = read_samples(tmp_path, EMOTION6)
    assert (kept.path.name, EMOTION6.names[kept.label]) == ("abstract_0002.jpg", "sadness")
    assert "abstract_0001.jpg is labelled 'contentment'" in left_out.reason


@pytest.mark.parametrize(("name", "emotion"), [("emotion6", "sadness"), ("plutchik", "sadness"), ("ads-30", "sad")])
def test_the_sets_own_names_go_before_those_of_others(name: str, emotion: str) -> None:
    assert Words(read_taxonomy(name)).emotion("Sad ") == emotion


def test_two_columns_for_one_emotion_are_added(tmp_path: Path) -> None:
    paint(tmp_path, "a.png")
    (tmp_path / "votes.csv").write_text("file,Sad,Sadness,Fear\na.png,2,2,3\n")
    (sample,) = read_samples(tmp_path, MIKELS).samples
    assert MIKELS.names[sample.label] == "sadness"
    assert sum(sample.votes or ()) == pytest.approx(1)


def test_feelings_stay_with_the_picture_and_other_columns_are_named(tmp_path: Path) -> None:
    emotion6_manifest(tmp_path)
    assert read_layout(tmp_path, EMOTION6).unused == ("search_keyword", "argmax")
    first = read_samples(tmp_path, EMOTION6).samples[0]
    assert (first.valence, first.arousal) == (6.3, 5.7)
    assert first.votes == pytest.approx((0, 0, 0.1, 0.2, 0, 0.7))


def test_votes_beside_the_label_of_a_manifest_are_kept(tmp_path: Path) -> None:
    """An empty field is no vote: where all agree, one column alone is filled."""
    rows = {"awe,1,3": {"awe": 0.25, "fear": 0.75}, "fear,yes,no": {}, "awe,5,": {"awe": 1, "fear": 0}, "awe,,": {}}
    text = "".join(f"{number}.png,{row}\n" for number, row in enumerate(rows))
    (tmp_path / "manifest.csv").write_text(f"path,label,awe,fear\n{text}")
    listing = read_layout(tmp_path, MIKELS)
    assert listing.layout is Layout.MANIFEST
    assert [picture.labels for picture in listing.pictures] == [("awe",), ("fear",), ("awe",), ("awe",)]
    assert [dict(picture.votes) for picture in listing.pictures] == list(rows.values())


@pytest.mark.parametrize(
    ("counts", "kind", "reason"),
    [
        ("3,3,1", "tie", "as many votes for awe and fear"),
        ("0,0,0", "unlabelled", "no label"),
        ("1,1,5", "unlabelled", "labelled 'joy'; taxonomy 'mikels' has"),
    ],
)
def test_without_a_majority_in_the_set_a_picture_is_left_out_and_counted(
    tmp_path: Path, counts: str, kind: str, reason: str
) -> None:
    """Joy is no emotion of Mikels, but votes for it are votes: the picture must not fall to awe or fear."""
    paint(tmp_path, "a.png", "b.png")
    (tmp_path / "votes.csv").write_text(f"file,awe,fear,joy\na.png,9,1,0\nb.png,{counts}\n")
    samples, skipped = read_samples(tmp_path, MIKELS)
    assert [sample.path.name for sample in samples] == ["a.png"]
    assert [item.kind for item in skipped] == [kind]
    assert reason in skipped[0].reason


def test_neutral_counts_as_an_emotion_even_where_the_set_lacks_it(tmp_path: Path) -> None:
    paint(tmp_path, "a.png", "b.png")
    (tmp_path / "votes.csv").write_text("file,joy,fear,neutral\na.png,5,4,1\nb.png,2,1,7\n")
    assert [s.label for s in read_samples(tmp_path, NEUTRAL).samples] == [3, 6]
    (kept,), (left_out,) = read_samples(tmp_path, EMOTION6)
    assert kept.votes == pytest.approx((0, 0, 0.4, 0.5, 0, 0))
    assert "labelled 'neutral'" in left_out.reason


def test_one_list_of_emoset_by_itself(tmp_path: Path) -> None:
    emoset(tmp_path)
    (sample,) = read_samples(tmp_path / "test.json", MIKELS).samples
    assert sample.path.name == "fear_00002.jpg"


def test_lists_of_emoset_without_ids(tmp_path: Path) -> None:
    emoset(tmp_path)
    (tmp_path / "train.json").write_text('[["awe", "image/awe/awe_00001.jpg", "annotation/awe/awe_00001.json"]]')
    assert len(read_samples(tmp_path, MIKELS).samples) == 2


def test_a_picture_of_emoset_without_annotation_has_no_label(tmp_path: Path) -> None:
    emoset_annotations(tmp_path)
    (tmp_path / "annotation" / "fear" / "fear_00002.json").unlink()
    assert [item.kind for item in read_samples(tmp_path, MIKELS).skipped] == ["unlabelled"]


@pytest.mark.parametrize(
    ("make", "layout", "message"),
    [
        (folders, Layout.EMOSET, r"looked for train\.json.*image/<emotion>/.*found awe/, fear/"),
        (folders, Layout.EMOTION6, r"looked for ground_truth\.txt beside images/.*found awe/, fear/"),
        (folders, Layout.ARTPHOTO, r"looked for pictures named after emotions.*found awe/"),
        (folders, Layout.VOTES, r"looked for one CSV.*found awe/, fear/"),
        (folders, Layout.MANIFEST, r"looked for manifest\.csv.*found awe/, fear/"),
        (abstract, Layout.EMOTION6, r"looked for ground_truth\.txt.*found ABSTRACT_groundTruth\.csv, abstract_0001"),
        (manifest, Layout.VOTES, r"looked for one CSV.*found a\.png, b\.png, manifest\.csv"),
    ],
)
def test_a_wrong_layout_says_what_was_looked_for_and_what_was_found(
    tmp_path: Path, make: Callable[[Path], None], layout: Layout, message: str
) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=rf"has not layout {layout.value}: {message}"):
        read_layout(tmp_path, MIKELS, layout=layout)


def test_where_two_layouts_fit_the_user_says_which(tmp_path: Path) -> None:
    folders(tmp_path)
    artphoto(tmp_path)
    with pytest.raises(DataError, match=r"may have layout folders or artphoto; say which with --layout"):
        read_layout(tmp_path, MIKELS)
    assert len(read_samples(tmp_path, MIKELS, layout=Layout.ARTPHOTO).samples) == 2
    assert len(read_samples(tmp_path, MIKELS, layout=Layout.FOLDERS).samples) == 2


def test_the_folders_of_a_manifest_when_they_are_asked_for(tmp_path: Path) -> None:
    emotion6_manifest(tmp_path)
    labels = [picture.labels for picture in read_layout(tmp_path, EMOTION6, layout=Layout.FOLDERS).pictures]
    assert labels == [("fear",), ("joy",)]


def test_of_several_tables_one_has_to_be_named(tmp_path: Path) -> None:
    abstract(tmp_path)
    shutil.copy(tmp_path / "ABSTRACT_groundTruth.csv", tmp_path / "again.csv")
    with pytest.raises(DataError, match=r"several tables of votes: ABSTRACT_groundTruth\.csv, again\.csv"):
        read_layout(tmp_path, MIKELS)
    assert len(read_samples(tmp_path / "again.csv", MIKELS).samples) == 2


def test_a_table_that_is_no_text_does_not_disturb_its_folders(tmp_path: Path) -> None:
    folders(tmp_path)
    (tmp_path / "notes.csv").write_bytes(b"\xff\xfe\x00caf\xe9")
    assert read_layout(tmp_path, MIKELS).layout is Layout.FOLDERS


@pytest.mark.parametrize(
    ("header", "row", "encoding"),
    [
        ("file,awe,fear", "café.png,1,2", "latin-1"),
        ("file,awe,fear,résumé", "a.png,1,2,x", "latin-1"),
        ("file,awe,fear", "a.png,1,2", "utf-16"),
        ("file\tawe\tfear", "a.png\t1\t2", "utf-16"),
        ("file,awe,fear", f"{'far from the header' * 999}é.png,1,2", "latin-1"),
    ],
)
def test_a_table_in_another_encoding_is_not_passed_over(tmp_path: Path, header: str, row: str, encoding: str) -> None:
    table = tmp_path / "votes.csv"
    table.write_text(f"{header}\n{row}\n", encoding=encoding)
    for source in (tmp_path, table):
        with pytest.raises(DataError, match=r"votes\.csv cannot be read as a table in UTF-8"):
            read_layout(source, MIKELS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,many,1", r"votes\.csv, line 2: .*many"),
        ("a.png,-1,1", "line 2: '-1' is no number of votes"),
        ("a.png,nan,1", "line 2: 'nan' is no number of votes"),
        ("a.png,1", "line 2: expected 3 fields"),
        (",1,2", "line 2: expected 3 fields, a picture's name among them"),
    ],
)
def test_a_vote_that_is_no_number_is_named_by_its_line(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "votes.csv").write_text(f"file,awe,fear\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_layout(tmp_path, MIKELS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "is no JSON list"),
        ("[", "cannot be read as JSON"),
        ('[["awe"]]', r"train\.json, item 0: expected \[emotion, id, picture, annotation\]"),
        ("[3]", "item 0: expected"),
    ],
)
def test_a_damaged_list_of_emoset(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_layout(tmp_path, MIKELS)


def test_a_label_column_is_for_manifests(tmp_path: Path) -> None:
    emotion6_manifest(tmp_path)
    assert read_layout(tmp_path, MIKELS, "argmax").layout is Layout.MANIFEST
    with pytest.raises(DataError, match="a label column is for the layout manifest"):
        read_layout(tmp_path, MIKELS, "argmax", Layout.EMOTION6)


def test_labels_of_another_set_name_the_one_that_has_them(tmp_path: Path) -> None:
    paint(tmp_path, "joy/a.png", "trust/b.png")
    with pytest.raises(DataError, match=r"(?s)with the label set 'mikels'; 'plutchik' has more.*labelled 'joy'"):
        read_samples(tmp_path, MIKELS)


@pytest.mark.parametrize("header", ["path,label", "path, label", " path ,label "])
def test_case_and_blanks_do_not_part_a_label_from_its_emotion(tmp_path: Path, header: str) -> None:
    paint(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "manifest.csv").write_text(f"{header}\na.png,Awe\nb.png, awe \nc.png,SAD\n")
    samples, skipped = read_samples(tmp_path, MIKELS)
    assert [MIKELS.names[sample.label] for sample in samples] == ["awe", "awe", "sadness"]
    assert skipped == []


def test_folders_may_be_capitalised(tmp_path: Path) -> None:
    paint(tmp_path, "Awe/1.jpg", "FEAR/2.jpg")
    assert [MIKELS.names[sample.label] for sample in read_samples(tmp_path, MIKELS).samples] == ["awe", "fear"]


def test_names_that_differ_in_case_alone_stay_two(tmp_path: Path) -> None:
    paint(tmp_path, "joy/1.jpg", "Joy/2.jpg")
    taxonomy = Taxonomy.model_validate({"name": "t", "emotions": ["joy", "Joy"]})
    labels = {sample.path.parent.name: sample.label for sample in read_samples(tmp_path, taxonomy).samples}
    assert labels == {"joy": 0, "Joy": 1}


def test_capitals_do_not_hide_which_set_fits(tmp_path: Path) -> None:
    paint(tmp_path, "Joy/a.png", "TRUST/b.png")
    with pytest.raises(DataError, match="'plutchik' has more of its labels"):
        read_samples(tmp_path, MIKELS)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"looked for folders named after emotions.*; found nothing$"),
        ({"a.png": None}, r"looked for folders named after emotions.*; found a\.png\n.*a\.png has no label"),
        (
            {"a.png": None, "labels.csv": "path,label\na.png,awe\n"},
            r"labels\.csv has the columns path, label: name it itself as the data\n",
        ),
        (
            {"images/a.png": None, "labels.csv": "path,label\nimages/a.png,awe\n"},
            r"labels\.csv has the columns path, label: name it itself.*\n.*labelled 'images'",
        ),
        ({"manifest.csv": "path,label\n"}, r"manifest\.csv has the columns path, label, but no rows$"),
        ({"a.png": None, "x.csv": "path,mood\na.png,awe\n"}, r"x\.csv has the columns path, mood.*--label-column"),
        ({"a.png": None, "x.csv": "file,label\na.png,awe\n"}, r"x\.csv has the columns file, label: .*`path`"),
        ({"a.png": None, "x.csv": "path;label\na.png;awe\n"}, r"x\.csv has no commas between its fields"),
        ({"a.png": None, "x.csv": "path,label\n".encode("utf-16")}, r"x\.csv is not in UTF-8"),
        (
            {"a.png": None, "manifest.csv": "path,emotion\na.png,awe\n"},
            r"manifest\.csv has the columns path, emotion, but no row a label: say with --label-column which",
        ),
        (
            {"a.png": None, "manifest.csv": "path,label\na.png,\n"},
            r"manifest\.csv has the columns path, label, but no row a label",
        ),
    ],
)
def test_where_nothing_is_labelled_the_cause_and_the_remedy_are_said(
    tmp_path: Path, files: dict[str, str | bytes | None], message: str
) -> None:
    for name, content in files.items():
        if content is None:
            paint(tmp_path, name)
        else:
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=rf"(?s)holds no picture to use; .*{message}"):
        read_samples(tmp_path, MIKELS)


def test_what_has_labels_but_no_file_is_not_asked_for_others(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,label\na.png,awe\n")
    with pytest.raises(DataError, match=r"holds no picture to use\n  cannot read"):
        read_samples(tmp_path, MIKELS)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a folder nor"):
        read_layout(tmp_path / "gone", MIKELS)
    with pytest.raises(DataError, match="neither a folder nor"):
        read_layout(tmp_path / "gone", MIKELS, layout=Layout.EMOSET)


def test_every_layout_is_documented() -> None:
    text = (ROOT / "docs" / "data.md").read_text()
    assert [layout for layout in Layout if f"**`{layout.value}`**" not in text] == []


@pytest.mark.parametrize(
    ("content", "layout"),
    [
        ("path,label\nawe/1.jpg,awe\nfear/1.jpg,fear\n", Layout.MANIFEST),
        ("path,label,awe,fear\nawe/1.jpg,awe,3,1\nfear/1.jpg,fear,,\n", Layout.MANIFEST),
        ("name,awe,fear\nawe/1,3,1\nfear/1,2,2\n", Layout.VOTES),
        ("path,search,valence,arousal,awe,fear\nawe/1.jpg,x,6.5,2,3,1\n", Layout.EMOTION6),
    ],
)
def test_a_table_in_parquet_says_what_it_says_in_csv(tmp_path: Path, content: str, layout: Layout) -> None:
    folders(tmp_path)
    (tmp_path / "t.csv").write_text(content)
    pq.write_table(read_csv(tmp_path / "t.csv"), tmp_path / "t.parquet")
    both = [read_layout(tmp_path / name, MIKELS) for name in ("t.csv", "t.parquet")]
    assert both[0].layout is layout
    assert both[0] == both[1]
