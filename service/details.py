"""What the gallery knows of its pictures beyond what a search answers."""

from collections.abc import Sequence

from index.view import Searchable
from service.answers import gallery_picture, is_shown, query_mood
from service.deps import Services
from service.live_schemas import PictureDetails


def details(parts: Services, gallery: Searchable, ids: Sequence[str]) -> list[PictureDetails]:
    """Of those pictures that the gallery holds, in the order of the ids, each once; blocks."""
    wanted = list(dict.fromkeys(ids))
    entries = parts.store.catalog.get_many(wanted)
    found = []
    for item_id in wanted:
        row, entry = gallery.row_of(item_id), entries.get(item_id)
        if row is None or not is_shown(entry):
            continue
        picture = gallery_picture(gallery, parts.naming, row, entry).model_dump()
        mood = query_mood(parts.naming, gallery.probabilities[row]).model_dump()
        width, height = (parts.files.size(entry) if entry else None) or (None, None)
        found.append(PictureDetails(**(picture | mood), width=width, height=height))
    return found
