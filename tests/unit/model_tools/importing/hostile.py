"""Files that make their reader hang, crash or fill its memory, each with the codes that it may end with.

`STRANGE` are named by what they do. Most are a few hundred bytes, and none is over a few megabytes.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import xgboost

from model_tools.sandbox.budget import MIB
from tests.unit.model_tools.conftest import zoo

PROTOCOL_2, PROTOCOL_4 = b"\x80\x02", b"\x80\x04"
LAUGHS = b")" + b"2\x86" * 60  # a tuple of a tuple of …, twice each: to hash or to print it takes 2**60 steps
DEEP = b")" + b"\x85" * 900_000
BOOSTER = b"cxgboost.core\nBooster\n"
RECONSTRUCT = b"ccopyreg\n_reconstructor\n"
SCALAR = b"cnumpy.core.multiarray\nscalar\n"
WRAPPER = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81"
FLOAT64 = b"cnumpy\ndtype\n(S'f8'\ntR"
ANY = r"^[A-Z_]+: "
RDS_CODES = r"^(DAMAGED|NOT_A_MODEL|TOO_LARGE|UNSUPPORTED): "
PICKLE = r"^(UNSAFE_PICKLE|NOT_A_MODEL|DAMAGED|TOO_LARGE): "


def memo(steps: bytes) -> bytes:
    """Leave nothing on the stack, and the value in the memo at 0."""
    return steps + b"q\x000"


def array(shape: bytes, dtype: bytes = FLOAT64) -> bytes:
    return PROTOCOL_2 + WRAPPER + b"}(S'shape'\n" + shape + b"S'dtype'\n" + dtype + b"ub."


def booster(**state: bytes) -> bytes:
    items = b"".join(b"S'%s'\n%s" % (name.encode(), steps) for name, steps in state.items())
    return PROTOCOL_2 + BOOSTER + b")\x81}(" + items + b"ub."


def handle() -> bytes:
    content = zoo("0.90-python3.6", "logistic.binary")
    return b"\x8e" + struct.pack("<Q", len(content)) + content


PICKLES: dict[str, bytes] = {
    "class that takes for ever to hash": PROTOCOL_2 + RECONSTRUCT + LAUGHS + b"cbuiltins\nobject\nN\x87R.",
    "class too deep to hash": PROTOCOL_2 + RECONSTRUCT + DEEP + b"cbuiltins\nobject\nN\x87R.",
    "key that takes for ever to hash": PROTOCOL_2 + b"}" + LAUGHS + b"Ns.",
    "key too deep to hash": PROTOCOL_2 + b"}" + DEEP + b"Ns.",
    "key of an OrderedDict": PROTOCOL_2 + b"ccollections\nOrderedDict\n" + b"]" + LAUGHS + b"N\x86a\x85R.",
    "text that takes for ever": PROTOCOL_2 + b"c_codecs\nencode\n" + LAUGHS + b"\x85R.",
    "encoding that takes for ever": PROTOCOL_2 + b"c_codecs\nencode\nVx\n" + LAUGHS + b"\x86R.",
    "type that takes for ever": PROTOCOL_2 + b"cnumpy\ndtype\n" + LAUGHS + b"\x85R.",
    "name that takes for ever": PROTOCOL_4 + b"\x8c\x01x" + LAUGHS + b"\x93.",
    "called thing that takes for ever": PROTOCOL_2 + LAUGHS + b")R.",
    "made thing that takes for ever": PROTOCOL_2 + LAUGHS + b")\x81.",
    "state that takes for ever": booster(handle=LAUGHS),
    "names that take for ever": booster(handle=b"N", feature_names=LAUGHS),
    "rounds that take for ever": booster(handle=handle(), best_iteration=LAUGHS),
    "laughs": PROTOCOL_2 + LAUGHS + b".",
    "deep tuples": PROTOCOL_2 + DEEP + b".",
    "very deep tuples": PROTOCOL_2 + DEEP + DEEP[1:] + b".",
    "deep marks": PROTOCOL_2 + b"(" * 2_000_000 + b".",
    "deep lists": PROTOCOL_2 + b"]" * 300_000 + b"a" * 299_999 + b".",
    "deep dictionaries": PROTOCOL_2 + b"}N" * 250_000 + b"}" + b"s" * 250_000 + b".",
    "deep things": PROTOCOL_2 + memo(BOOSTER) + b"h\x00)\x81" * 150_000 + b"b" * 149_999 + b".",
    "millions of dictionaries": PROTOCOL_2 + b"}" * 5_000_000 + b".",
    "millions of lists in the memo": PROTOCOL_4 + b"]\x94" * 2_000_000 + b".",
    "dictionaries copied": PROTOCOL_2
    + memo(b"](" + b"".join(b"(I%d\nNt" % n for n in range(1000)) + b"e")
    + b"ccollections\nOrderedDict\nq\x010"
    + b"h\x01h\x00\x85R" * 100_000
    + b".",
    "arguments copied": PROTOCOL_2
    + memo(b"(" + b"N" * 100_000 + b"t")
    + BOOSTER + b"q\x010" + b"h\x01h\x00\x81" * 99_999 + b".",
    "arguments passed on": PROTOCOL_2
    + memo(b"(" + b"N" * 100_000 + b"t")
    + b"cnumpy.core.multiarray\n_reconstruct\nq\x010"
    + b"h\x01h\x00R" * 99_999
    + b".",
    "text decoded over and over": b"c_codecs\nencode\np0\n0(V"
    + b"x" * 100_000
    + b"\np1\n0"
    + b"g0\n(g1\ntR" * 50_000
    + b"t.",
    "bytearrays over and over": PROTOCOL_2
    + memo(b"cbuiltins\nbytearray\n")
    + b"S'"
    + b"x" * 100_000
    + b"'\nq\x010"
    + b"h\x00h\x01\x85R" * 50_000
    + b".",
    "long of two gigabytes": PROTOCOL_2 + b"\x8b\xff\xff\xff\x7f" + b"\xff" * 1000 + b".",
    "long of minus one byte": PROTOCOL_2 + b"\x8b\xff\xff\xff\xff.",
    "bytes of an exabyte": PROTOCOL_4 + b"\x8e" + struct.pack("<Q", 1 << 60) + b".",
    "bytes of more than there is": PROTOCOL_4 + b"\x8e" + struct.pack("<Q", (1 << 64) - 1) + b".",
    "text of an exabyte": PROTOCOL_4 + b"\x8d" + struct.pack("<Q", 1 << 60) + b".",
    "bytearray of an exabyte": b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b".",
    "frame of an exabyte": PROTOCOL_4 + b"\x95" + struct.pack("<Q", 1 << 60) + b".",
    "memo at the far end": PROTOCOL_2 + b"Nr\xff\xff\xff\xff.",
    "digits without end": PROTOCOL_2 + b"I" + b"9" * 3_000_000 + b"\n.",
    "shape that overflows": array(b"(" + b"L4611686018427387904L\n" * 4 + b"t"),
    "shape of a million numbers": array(b"(" + b"L4611686018427387904L\n" * 50_000 + b"t"),
    "shape below zero": array(b"(I-1\nI-8\nt"),
    "shape of truth": array(b"(I01\nt"),
    "shape of tuples": array(LAUGHS),
    "shape of text": array(b"S'xxxx'\n"),
    "shape of a dictionary": array(b"}"),
    "dtype that is none": array(b"(I1\nt", b"N"),
    "dtype of huge items": array(b"(I1\nt", b"cnumpy\ndtype\n(S'S99999999999'\ntR"),
    "wrapper without state": PROTOCOL_2 + WRAPPER + b"Nb.",
    "rounds of a million digits": booster(handle=handle(), best_iteration=b"\x8b\x00\x00\x10\x00" + b"\x7f" * MIB),
    "rounds without end": booster(handle=handle(), best_iteration=b"Finf\n"),
    "rounds that are none": booster(handle=handle(), best_iteration=b"Fnan\n"),
    "rounds below zero": booster(handle=handle(), best_ntree_limit=b"I-5\n"),
    "rounds in an array": booster(handle=handle(), best_iteration=SCALAR + b"(" + FLOAT64 + b"S'x'\ntR"),
    "scalar of nothing": booster(handle=handle(), best_iteration=SCALAR + b")R"),
    "missing that is text": booster(handle=handle(), missing=b"S'x'\n", best_iteration=b"S'x'\n"),
    "handle that is a pickle": booster(handle=b"C\x05\x80\x02N.."),
    "handle that is empty": booster(handle=b"C\x00"),
    "handle that is no model": booster(handle=b"C\x05hello"),
    "estimator without state": PROTOCOL_2 + b"cxgboost.sklearn\nXGBClassifier\n)\x81.",
    "stop at once": PROTOCOL_2 + b".",
    "pop of nothing": PROTOCOL_2 + b"0000.",
}  # fmt: skip


def tar(*members: tuple[tarfile.TarInfo | str, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for named, content in members:
            entry = tarfile.TarInfo(named) if isinstance(named, str) else named
            entry.size = entry.size or len(content)
            archive.addfile(entry, io.BytesIO(content.ljust(entry.size, b"\0") if entry.size < 99 * MIB else content))
    return out.getvalue()


def header(kind: bytes, size: int, name: str = "model", link: str = "") -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.linkname = kind, size, link
    return entry.tobuf(tarfile.GNU_FORMAT)


def blocks(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return header(kind, len(records)) + blocks(records) + header(tarfile.REGTYPE, 0) + bytes(1024)


def record(name: bytes, value: bytes) -> bytes:
    body = b" " + name + b"=" + value + b"\n"
    length = len(body) + len(str(len(body) + 9))
    return b"%d" % length + body


def zeros(count: int = 64 * MIB) -> bytes:
    return bytes(count)


def nested(layers: int) -> bytes:
    """Each layer contains the inner one four times."""
    content = gzip.compress(zeros(8 * MIB))
    for _ in range(layers):
        content = gzip.compress(tar(*((f"{number}.gz", content) for number in range(4))))
    return content


ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "gzip of zeros": (lambda: gzip.compress(zeros()), "TOO_LARGE"),
    "bz2 of zeros": (lambda: bz2.compress(zeros(32 * MIB)), "TOO_LARGE"),
    "xz of zeros": (lambda: lzma.compress(zeros(32 * MIB), preset=0), "TOO_LARGE"),
    "zlib of zeros": (lambda: zlib.compress(zeros()), "TOO_LARGE"),
    "gzip in gzip of zeros": (lambda: gzip.compress(gzip.compress(zeros(999 * MIB // 8))), "TOO_LARGE"),
    "gzip in gzip in gzip": (lambda: gzip.compress(gzip.compress(gzip.compress(zeros()))), "UNSUPPORTED|TOO_LARGE"),
    "gzip of very many pieces": (lambda: gzip.compress(b"") * 100_000, "NOT_A_MODEL"),
    "gzip of a damaged piece": (lambda: gzip.compress(b"{")[:-8] + b"\xff" * 8, "DAMAGED"),
    "nested tar": (lambda: nested(1), "TOO_LARGE"),
    "nested tar of tars": (lambda: nested(4), "UNSUPPORTED|TOO_LARGE|NOT_A_MODEL"),
    "tar in tar": (lambda: tar(("a.tar", tar(("b.tar", tar(("c", b"x")))))), "UNSUPPORTED"),
    "tar of bombs": (lambda: tar(*((f"{n}", zlib.compress(zeros(4 * MIB))) for n in range(99))), "TOO_LARGE"),
    "tar of very many files": (lambda: tar(*((f"{n}", b"") for n in range(30_000))), "TOO_LARGE"),
    "tar of very many folders": (lambda: header(tarfile.DIRTYPE, 0) * 20_000, "TOO_LARGE"),
    "sparse file of a terabyte": (lambda: header(tarfile.GNUTYPE_SPARSE, 1 << 40) + bytes(1024), "UNSAFE|DAMAGED"),
    "sparse file by its header": (
        lambda: pax(record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")
                    + record(b"GNU.sparse.name", b"x") + record(b"GNU.sparse.realsize", b"99999999999999")),
        "UNSAFE|DAMAGED|NOT_A_MODEL",
    ),
    "file of a terabyte": (lambda: header(tarfile.REGTYPE, 1 << 40) + bytes(1024), "TOO_LARGE|DAMAGED"),
    "file below zero": (lambda: header(tarfile.REGTYPE, -1) + bytes(1024), "DAMAGED|NOT_A_MODEL"),
    "name of a terabyte": (lambda: header(tarfile.GNUTYPE_LONGNAME, 1 << 40) + bytes(1024), "[A-Z_]+"),
    "name below zero": (lambda: header(tarfile.GNUTYPE_LONGNAME, -512) + bytes(1024), "[A-Z_]+"),
    "extended header below zero": (lambda: header(tarfile.XHDTYPE, -512) + bytes(1024), "[A-Z_]+"),
    "extended header of many digits": (lambda: pax(b"1" * 200_000), "[A-Z_]+"),
    "extended header of many spaces": (lambda: pax(b"1" + b" " * 200_000), "[A-Z_]+"),
    "extended header of very many records": (lambda: pax(record(b"k", b"v") * 500_000), "[A-Z_]+"),
    "extended header of one size": (lambda: pax(record(b"size", b"-512")), "[A-Z_]+"),
    "extended header of no size": (lambda: pax(record(b"size", b"9" * 5000)), "[A-Z_]+"),
    "extended header for all": (lambda: pax(record(b"path", b"../x"), tarfile.XGLTYPE), "[A-Z_]+"),
    "extended header that leads out": (lambda: pax(record(b"path", b"../x")), "UNSAFE_ARCHIVE"),
    "headers without end": (lambda: header(tarfile.XHDTYPE, 0) * 20_000, "[A-Z_]+"),
    "symbolic link": (lambda: header(tarfile.SYMTYPE, 0, link="/etc/passwd") + bytes(1024), "UNSAFE_ARCHIVE"),
    "hard link": (lambda: header(tarfile.LNKTYPE, 0, link="/etc/passwd") + bytes(1024), "UNSAFE_ARCHIVE"),
    "device": (lambda: header(tarfile.CHRTYPE, 0) + bytes(1024), "UNSAFE_ARCHIVE"),
    "pipe": (lambda: header(tarfile.FIFOTYPE, 0) + bytes(1024), "UNSAFE_ARCHIVE"),
    "path that leads out": (lambda: tar(("../../model", b"x")), "UNSAFE_ARCHIVE"),
    "path with escapes": (lambda: tar(("\x1b[2J\u202ex", b"x"), form=tarfile.GNU_FORMAT), "NOT_A_MODEL"),
    "zip bomb": (lambda: b"PK\x03\x04" + bytes(1000), "UNSUPPORTED"),
    "manifest alone": (lambda: tar(("manifest.json", b"{}")), "WRONG_MANIFEST"),
    "manifest too deep": (lambda: tar(("manifest.json", b"[" * MIB)), "WRONG_MANIFEST"),
    "manifest of very many things": (lambda: gzip.compress(tar(("manifest.json", b"[" + b"{}," * 5 * MIB + b"0]"))),
                                     "TOO_LARGE|WRONG_MANIFEST|OUT_OF_MEMORY"),
    "manifest of a long number": (lambda: tar(("manifest.json", b"9" * MIB)), "WRONG_MANIFEST"),
}  # fmt: skip

R = b"X\n" + struct.pack(">iiii", 3, 0x040303, 0x030500, 0)
RDS: dict[str, bytes] = {
    "R list of very many": R + struct.pack(">iiii", 19, -1, 0x7FFFFFFF, -1) + struct.pack(">i", 254) * 2_000_000,
    "R vector without end": R + struct.pack(">iiii", 24, -1, 0x7FFFFFFF, -1),
    "R vector below zero": R + struct.pack(">iiii", 24, -1, -1, 5),
    "R lists in lists": R + struct.pack(">ii", 19, 1) * 250_000,
    "R pairs of pairs": R + struct.pack(">i", 0x402) * 500_000,
    "R text below zero": R + struct.pack(">iii", 16, 1 << 30, 9) + struct.pack(">i", -7) * 9,
    "R that ends": b"X\n\x00\x00\x00\x03",
    "R of a long encoding": b"X\n" + struct.pack(">iiii", 3, 0, 0, 0x7FFFFFFF),
}


def text() -> bytes:
    """Return a current model as JSON."""
    matrix = xgboost.DMatrix([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]], [0, 1, 1, 0], nthread=1)
    return bytes(xgboost.train({"nthread": 1, "min_child_weight": 0}, matrix, 2).save_raw("json"))


def changed(where: str, value: object) -> bytes:
    """Return `text` with one value changed, at the path `where`."""
    model = json.loads(text())
    *path, last = where.split("/")
    place = model["learner"]
    for name in path:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[int(last) if isinstance(place, list) else last] = value
    return json.dumps(model).encode()


def categorical(category: int) -> bytes:
    """The root of the first tree splits by one category."""
    model = json.loads(text())
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    tree.update(categories=[category], categories_nodes=[0], categories_segments=[0], categories_sizes=[1])
    tree["split_type"][0] = 1
    return json.dumps(model).encode()


TREE = "gradient_booster/model/trees/0/"
MODELS: dict[str, Callable[[], bytes]] = {
    "JSON lists in lists": lambda: b'{"learner":' + b"[" * MIB,
    "JSON objects in objects": lambda: b'{"learner":' + b'{"a":' * MIB,
    "JSON of very many numbers": lambda: gzip.compress(b'{"learner":[' + b"0," * 8 * MIB + b"0]}"),
    "JSON of very many objects": lambda: gzip.compress(b'{"learner":[' + b"{}," * 5 * MIB + b"0]}"),
    "JSON of very many keys": lambda: b'{"learner":{' + b",".join(b'"%d":0' % n for n in range(99_999)) + b"}}",
    "JSON of nothing": lambda: b'{"learner":null}',
    "JSON of a long number": lambda: b'{"version":[' + b"9" * MIB + b',0,0],"learner":{}}',
    "JSON of many versions": lambda: b'{"learner":{' + b'"version":[1' * 99_999,
    "JSON of many spaces": lambda: b'{"learner":{}' + b'"version"' + b" " * MIB,
    "JSON of no text": lambda: b'{"learner":"\xff\xfe\\ud800"}',
    "features beyond counting": lambda: changed("learner_model_param/num_feature", "4294967295"),
    "no features": lambda: changed("learner_model_param/num_feature", "0"),
    "features below zero": lambda: changed("learner_model_param/num_feature", "-1"),
    "classes beyond counting": lambda: changed("learner_model_param/num_class", "2147483647"),
    "classes that nobody has": lambda: changed("learner_model_param/num_class", "10001"),
    "targets beyond counting": lambda: changed("learner_model_param/num_target", "99999999"),
    "trees that are not there": lambda: changed("gradient_booster/model/gbtree_model_param/num_trees", "1000000000"),
    "trees below zero": lambda: changed("gradient_booster/model/gbtree_model_param/num_trees", "-1"),
    "parallel trees beyond counting": lambda: changed(
        "gradient_booster/model/gbtree_model_param/num_parallel_tree", "2147483647"
    ),
    "tree of another class": lambda: changed("gradient_booster/model/tree_info/0", 1_000_000),
    "tree of a class below zero": lambda: changed("gradient_booster/model/tree_info/0", -5),
    "rounds beyond the trees": lambda: changed("gradient_booster/model/iteration_indptr/2", 1_000_000),
    "rounds that go back": lambda: changed("gradient_booster/model/iteration_indptr/1", -3),
    "nodes that are not there": lambda: changed(TREE + "tree_param/num_nodes", "2147483647"),
    "nodes below zero": lambda: changed(TREE + "tree_param/num_nodes", "-1"),
    "node that is its own child": lambda: changed(TREE + "left_children/0", 0),
    "nodes that are each other's child": lambda: changed(TREE + "right_children/0", 1),
    "child beyond the end": lambda: changed(TREE + "left_children/0", 1_000_000),
    "child below zero": lambda: changed(TREE + "left_children/0", -1_000_000),
    "feature beyond the end": lambda: changed(TREE + "split_indices/0", 1_000_000),
    "category beyond counting": lambda: categorical(2_000_000_000),
    "category below zero": lambda: categorical(-1),
    "base score of many": lambda: changed("learner_model_param/base_score", "[" + "1," * 99_999 + "1]"),
    "objective that is none": lambda: changed("objective/name", "x" * 99_999),
    "UBJSON arrays in arrays": lambda: ubj(b"[" * MIB),
    "UBJSON of a count beyond memory": lambda: ubj(b"[#L" + struct.pack(">q", 1 << 60)),
    "UBJSON of doubles beyond memory": lambda: ubj(b"[$d#L" + struct.pack(">q", 1 << 60)),
    "UBJSON of doubles that overflow": lambda: ubj(b"[$d#L" + struct.pack(">q", (1 << 62) + 1)),
    "UBJSON of four billion bytes": lambda: ubj(b"[$U#L" + struct.pack(">q", 1 << 32)),
    "UBJSON of a count below zero": lambda: ubj(b"[$d#L" + struct.pack(">q", -1)),
    "UBJSON of a text beyond memory": lambda: ubj(b"SL" + struct.pack(">q", 1 << 60)),
    "UBJSON of a text below zero": lambda: ubj(b"SL" + struct.pack(">q", -9)),
    "UBJSON of a key beyond memory": lambda: ubj(b"{L" + struct.pack(">q", 1 << 60)),
    "UBJSON of nothings": lambda: gzip.compress(ubj(b"[" + b"Z" * 15 * MIB)),
    "UBJSON of an unknown type": lambda: ubj(b"[$?#L" + struct.pack(">q", 9)),
    "binary of features beyond counting": lambda: binary(4, b"\xff\xff\xff\x7f"),
    "binary of classes beyond counting": lambda: binary(8, b"\xff\xff\xff\x7f"),
    "binary of classes below zero": lambda: binary(8, b"\xff\xff\xff\xff"),
    "binary of a name below zero": lambda: binary(136, b"\xff" * 8),
    "binary of trees beyond counting": lambda: binary(173, b"\xff\xff\xff\x7f"),
    "binary of trees below zero": lambda: binary(173, b"\xff\xff\xff\xff"),
    "binary of nodes beyond counting": lambda: binary(173 + 160 + 4, b"\xff\xff\xff\x7f"),
    "binary of nodes below zero": lambda: binary(173 + 160 + 4, b"\xff\xff\xff\xff"),
    "binary snapshot of a length below zero": lambda: b"CONFIG-offset:" + struct.pack("<q", -1) + bytes(99),
    "binary snapshot of a length beyond memory": lambda: b"CONFIG-offset:" + struct.pack("<q", 1 << 60) + bytes(99),
    "binary snapshot of nothing": lambda: b"CONFIG-offset:",
}  # fmt: skip


def ubj(value: bytes) -> bytes:
    return b"{L" + struct.pack(">q", 7) + b"learner" + value


def binary(offset: int, value: bytes) -> bytes:
    content = bytearray(zoo("0.90-python3.6", "logistic.binary"))
    content[offset : offset + len(value)] = value
    return bytes(content)


CAUSES = {
    **dict.fromkeys(
        ("very deep tuples", "deep marks", "millions of dictionaries", "millions of lists in the memo"), "TOO_LARGE"
    ),
    **dict.fromkeys((name for name in PICKLES if name.startswith("shape ")), "UNSAFE_PICKLE"),
    **dict.fromkeys(
        ("node that is its own child", "nodes that are each other's child", "child beyond the end", "child below zero"),
        "DAMAGED: tree 0 of the model is damaged",
    ),
    "feature beyond the end": "DAMAGED: tree 0 of the model is damaged",
    "classes that nobody has": "DAMAGED: the model has 10001 outputs",
    "rounds that go back": "DAMAGED: the model is damaged: its rounds",
    "parallel trees beyond counting": "DAMAGED: the model is damaged: its rounds",
}
"""Codes of faults that must be detected before a limit applies: the limits are the second line of defense."""


def hostile() -> dict[str, tuple[Callable[[], bytes], str]]:
    """Return, by name, the function that makes a file, and the codes that it may end with."""
    found: dict[str, tuple[Callable[[], bytes], str]] = {
        **{name: (partial(bytes, content), PICKLE) for name, content in PICKLES.items()},
        **{name: (make, f"^({codes})[A-Z_]*: ") for name, (make, codes) in ARCHIVES.items()},
        **{name: (partial(bytes, content), RDS_CODES) for name, content in RDS.items()},
        **{name: (make, ANY) for name, make in MODELS.items()},
    }
    return {name: (make, CAUSES.get(name, codes)) for name, (make, codes) in found.items()}


def truncated(content: bytes, parts: int = 16) -> Iterator[bytes]:
    for part in range(parts):
        yield content[: len(content) * part // parts]


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
