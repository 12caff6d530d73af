"""The model server's rooms: body (CSV to numbers), model (numbers to scores), http, gate, settings, log, refusal."""
