"""The model server's rooms.

loading, trial, model: the artifact and what it answers. csv_rows (with plain, cells, csv_faults), json_rows, table_rows
(with stream_sizes): a body to numbers; schema: what they must be. text: numbers to an answer. invocation, wanted: what
a request asks for. contract, http, head, connection, connections: how it is asked. gate, settings, log, refusal: what
all of them share.
"""
