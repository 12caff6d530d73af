"""The model server.

main, settings: start and stop. loading, trial, model: check, load and run the model. invocation, output_type: read a
request's headers. formats: read the rows of a request and write the scores of a reply. http: the protocol, SageMaker's
contract and the limit on concurrent requests. parallel: split a request's work over cores. log, refusal: used by all.
"""
