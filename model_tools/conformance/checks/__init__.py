"""Every check there is, in the order in which they are tried; what may harm the server comes last."""

from model_tools.conformance.checks import ending, image, load, refusals, rows, serving
from model_tools.conformance.findings import Check

EVERY: tuple[Check, ...] = (
    serving.start_up,
    serving.ping,
    serving.invocations,
    rows.row_counts,
    rows.line_ends,
    rows.order,
    rows.neighbours,
    rows.determinism,
    serving.content_types,
    refusals.bad_row,
    refusals.short_row,
    refusals.echo,
    refusals.empty_body,
    refusals.wrong_type,
    load.limits,
    load.concurrency,
    load.ping_under_load,
    load.memory,
    refusals.log,
    ending.sigterm,
    image.serve,
    image.offline,
    image.non_root,
    image.read_only,
    image.capabilities,
    image.port,
)
