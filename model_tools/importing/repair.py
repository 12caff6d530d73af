"""Fix what XGBoost 3 reads wrongly in older files, in the file's bytes. The test zoo of models found each case.

- `reg:gamma` of 1.0 to 2.x lacks `reg_loss_param`, without which 3.0 rejects the model.
- Vector leaves from before 3.2 crash 3.2, so they are refused.
- `binary:logitraw` of 1.0 to 1.2 has its base_score as a probability, which 3.0 reads as a margin.
"""

from __future__ import annotations

import re
import struct

from model_tools.errors import Code, ModelImportError
from model_tools.importing.recognize import FileFormat, written_by

SNAPSHOT_HEADER = struct.Struct("<14sq")  # "CONFIG-offset:" and the length of the model, which comes before the config
_GAMMA = re.compile(rb'("name"\s*:\s*"reg:gamma")\s*\}')
_GAMMA_BINARY = struct.pack("<Q", 20) + b'{"name":"reg:gamma"}'
_GAMMA_UBJ = b"L" + struct.pack(">q", 4) + b"nameSL" + struct.pack(">q", 9) + b"reg:gamma}"
_PARAMETER = b',"reg_loss_param":{"scale_pos_weight":"1"}}'
_BASE_SCORE = re.compile(rb'("base_score"\s*:\s*")([^"]+)(")')
_VECTOR_LEAF = re.compile(rb'size_leaf_vector(?:"\s*:\s*"|SL\x00{7}.)([2-9]|1\d)', re.DOTALL)
_LOGITRAW_VERSIONS = ((1, 0), (1, 1), (1, 2))


def repair(file_format: FileFormat, content: bytes) -> bytes:
    """Return the model's bytes as XGBoost 3 reads them correctly. Raises ModelImportError for vector leaves."""
    if _VECTOR_LEAF.search(content) and written_by(file_format, content) < (3, 2):
        raise ModelImportError(
            "the model has vector leaves (multi_strategy='multi_output_tree') from before XGBoost 3.2, which 3.2 "
            "cannot read. Train it with multi_strategy='one_output_per_tree' or with XGBoost 3.2, or serve it from "
            "your own container: container = … in dropscore.toml",
            code=Code.UNSUPPORTED,
        )
    is_probability = b"binary:logitraw" in content and written_by(file_format, content) in _LOGITRAW_VERSIONS
    if file_format is FileFormat.BINARY_SNAPSHOT:
        magic, length = SNAPSHOT_HEADER.unpack_from(content)
        end = SNAPSHOT_HEADER.size + length
        model = _binary(content[SNAPSHOT_HEADER.size : end], is_probability=is_probability)
        return SNAPSHOT_HEADER.pack(magic, len(model)) + model + _text(content[end:], is_probability=is_probability)
    if file_format is FileFormat.BINARY_MODEL:
        return _binary(content, is_probability=is_probability)
    if file_format in {FileFormat.JSON_MODEL, FileFormat.JSON_SNAPSHOT}:
        return _text(content, is_probability=is_probability)
    return _ubj(content)


def _text(content: bytes, *, is_probability: bool) -> bytes:
    if is_probability:
        content = _BASE_SCORE.sub(lambda found: b"%b%.9g%b" % (found[1], _margin(float(found[2])), found[3]), content)
    return _GAMMA.sub(rb"\1" + _PARAMETER, content)


def _binary(content: bytes, *, is_probability: bool) -> bytes:
    at = 4 * content.startswith(b"binf")
    if is_probability:
        (base_score,) = struct.unpack_from("<f", content, at)
        content = content[:at] + struct.pack("<f", _margin(base_score)) + content[at + 4 :]
    described = _GAMMA_BINARY[8:-1] + _PARAMETER
    return content.replace(_GAMMA_BINARY, struct.pack("<Q", len(described)) + described)


def _ubj(content: bytes) -> bytes:
    def key(name: bytes) -> bytes:
        return b"L" + struct.pack(">q", len(name)) + name

    parameter = key(b"reg_loss_param") + b"{" + key(b"scale_pos_weight") + b"S" + key(b"1") + b"}"
    return content.replace(_GAMMA_UBJ, _GAMMA_UBJ[:-1] + parameter + b"}")


def _margin(probability: float) -> float:
    """Compute in 32 bits, as the old releases did."""
    import numpy as np  # slow to import, and few models need it

    return float(-np.log(np.float32(1) / np.float32(probability) - np.float32(1)))
