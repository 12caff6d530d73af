"""The model server's rooms.

loading, model: the artefact and what it answers. csv_rows, json_rows, table_rows: a body to numbers; schema: what they
must be. text: numbers to an answer. invocation, wanted: what a request asks for. contract, http: how it is asked.
gate, settings, log, refusal: what all of them share.
"""
