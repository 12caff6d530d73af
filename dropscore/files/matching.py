"""Matches the columns of a file with a header to the names of the model's features."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from dropscore.errors import RejectedError
from dropscore.files.cells import is_numeric, split_cells
from dropscore.files.dialect import Dialect
from dropscore.files.head import Head
from dropscore.files.rows import line_of
from dropscore.jobs.options import Options

GENERATED = (b"", b"f", b"Column_", b"column_", b"Unnamed: ")
"""What pandas, XGBoost and LightGBM write before the number of a column without a name."""
MAX_SHOWN = 5
MAX_CHARACTERS = 40
BY_POSITION = 'set match_columns = "position" if the header is wrong and the columns are in the model\'s order'

_ID = re.compile(r"(?:.*[_\s.-])?(?:id|key|uuid|guid|nr|no|number)|.*[a-z]I[dD]")


@dataclass(frozen=True, kw_only=True)
class Matching:
    """How the columns of a file were matched to the model's features."""

    is_by_name: bool = False
    is_reordered: bool = False
    why: str = ""
    """Why the columns are matched by position."""

    def as_dict(self) -> dict[str, Any]:
        """The entry of the manifest."""
        if self.is_by_name:
            return {"matched": "by name", "reordered": self.is_reordered}
        return {"matched": "by position", "why": self.why}


NO_HEADER = Matching(why="no header")


def comparable(names: Sequence[str]) -> list[bytes]:
    """The features' names in the form in which they are compared with a header's: without surrounding blanks."""
    return [name.encode().strip() for name in names]


@dataclass(frozen=True, kw_only=True)
class NamedColumns:
    """The columns of a file with a header: `header` has all their names, `kept` the indexes (from 0) of the model's."""

    head: Head
    header: Sequence[bytes]
    kept: Sequence[int]
    options: Options

    def in_order_of(self, features: Sequence[bytes]) -> tuple[int, ...]:
        """The index of the column of each feature. Raises RejectedError if the names are not the same."""
        places = {self.header[place]: place for place in self.kept}
        counts = Counter(self.header[place] for place in self.kept)
        duplicates = [name for name in features if counts[name] > 1]
        missing = [name for name in features if name not in places]
        if duplicates:
            raise RejectedError(
                "DUPLICATE_COLUMN",
                f"the header has the feature {_quoted(duplicates[0])} {counts[duplicates[0]]} times; leave out "
                "all but one by number, such as `exclude = [2]`",
            )
        if missing:
            raise self._lacks(missing, features)
        if len(self.kept) > len(features):
            raise self._has_more(features)
        return tuple(places[name] for name in features)

    def check_order(self, features: Sequence[bytes]) -> None:
        """Raises RejectedError if the option `columns` puts a feature in the place of another."""
        names = [self.header[place] for place in self.kept]
        for place, name in enumerate(names):
            if name in features and (place >= len(features) or features[place] != name):
                raise RejectedError(
                    "COLUMNS_OUT_OF_ORDER",
                    f"columns: {_quoted(name)} is number {place + 1} of the columns and number "
                    f"{list(features).index(name) + 1} of the model's features; remove `columns`, and they are "
                    f"matched by name, or {BY_POSITION}",
                )

    def check_generated(self) -> None:
        """Raises RejectedError for numbered columns out of order: by position they would go to the wrong features."""
        names = [self.header[place] for place in self.kept]
        for prefix in GENERATED:
            for start in (0, 1):
                numbered = [b"%b%d" % (prefix, number) for number in range(start, start + len(names))]
                if names != numbered and len(names) > 1 and sorted(names) == sorted(numbered):
                    raise RejectedError(
                        "COLUMNS_OUT_OF_ORDER",
                        "the header numbers the columns, but they are not in the order of their numbers; sort them, or "
                        + BY_POSITION,
                    )

    def _lacks(self, missing: Sequence[bytes], features: Sequence[bytes]) -> RejectedError:
        left_out = [name for name in missing if name in self.header]
        if left_out:
            return RejectedError(
                "COLUMN_MISSING",
                f"id or exclude leaves out {_list(left_out)}, which the model needs; keep it, or {BY_POSITION}",
            )
        extra = [self.header[place] for place in self.kept if self.header[place] not in features]
        problems = [f"the header lacks {_list(missing)} of the model's {len(features)} features"]
        near = _near(missing[0], extra)
        if near:
            problems.append(f"the most similar name is {_quoted(near)}, but names must match exactly")
        if extra:
            problems.append(f"not features: {_list(extra)}")
        if set(features).isdisjoint(self.header) and any(map(is_numeric, self.header)):
            problems.append("if the first row is a row, set header = false")
        return RejectedError("COLUMN_MISSING", f"{'; '.join(problems)}. Rename the columns, or {BY_POSITION}")

    def _has_more(self, features: Sequence[bytes]) -> RejectedError:
        extra = [place for place in self.kept if self.header[place] not in features]
        if not any(self.header[place] for place in extra):
            verb = "has no name and is not a feature" if len(extra) == 1 else "have no names and are not features"
            problem = f"column {', '.join(str(place + 1) for place in extra[:MAX_SHOWN])} {verb}"
        else:
            names = [self.header[place] or b"(no name)" for place in extra]
            problem = f"{_list(names)} {'is not a feature' if len(extra) == 1 else 'are not features'}"
        return RejectedError("NOT_A_FEATURE", f"{problem}; add {self._fix(extra)}")

    def _fix(self, extra: Sequence[int]) -> str:
        """The options that leave these columns out: `id` for one that looks like an id, `exclude` for the others."""
        if len(extra) > MAX_SHOWN:
            return "the columns that are not features to `exclude`, by name or number"
        rest, fixes = list(extra), list[str]()
        looks_like_id = next((place for place in extra if self._is_id(place)), None)
        if self.options.id is None and looks_like_id is not None:
            rest.remove(looks_like_id)
            fixes.append(f"`id = {self._word(looks_like_id)}`")
        if rest:
            words = [*(json.dumps(word, ensure_ascii=False) for word in self.options.exclude), *map(self._word, rest)]
            fixes.append(f"`exclude = [{', '.join(words)}]`")
        return " and ".join(fixes)

    def _word(self, place: int) -> str:
        """The column as an option names it: by number if it has no name, or if the name is not unique."""
        name = self.header[place].decode(errors="replace")
        is_usable = bool(name) and "\ufffd" not in name and len(name) <= MAX_CHARACTERS
        if not is_usable or self.header.count(self.header[place]) > 1:
            return str(place + 1)
        return json.dumps(name, ensure_ascii=False)

    def _is_id(self, place: int) -> bool:
        """Whether it looks like an id: by its name, or because its cells are all different and none is a number."""
        name = self.header[place].decode(errors="replace")
        if not name:
            return False
        if _ID.fullmatch(name) or _ID.fullmatch(name.lower()):
            return True
        rows = [split_cells(line_of(row), Dialect.of(self.options)) for row in self.head.rows]
        cells = [row[place] for row in rows if place < len(row)]
        return len(cells) > 1 and len(set(cells)) == len(cells) and not any(map(is_numeric, cells))


def _near(name: bytes, others: Sequence[bytes]) -> bytes | None:
    """The name that differs in case, blanks or punctuation only, else the most similar one."""
    folded: Mapping[str, bytes] = {_folded(other): other for other in others}
    close = get_close_matches(_folded(name), folded, n=1, cutoff=0.8)
    return folded[close[0]] if close else None


def _folded(name: bytes) -> str:
    text = unicodedata.normalize("NFKC", name.decode(errors="replace")).casefold()
    return re.sub(r"[\W_]+", "", text) or text


def _list(names: Sequence[bytes]) -> str:
    shown = ", ".join(map(_quoted, names[:MAX_SHOWN]))
    return shown if len(names) <= MAX_SHOWN else f"{shown} and {len(names) - MAX_SHOWN} more"


def _quoted(name: bytes) -> str:
    text = name.decode(errors="replace")
    return f"`{text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + '…'}`"
