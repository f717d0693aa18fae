"""What the fuzzer must be told: a body of TOML is sent as the text that it is, and an empty value in a query is one not given."""

import schemathesis


@schemathesis.serializer("application/toml")
def toml(_context, value):
    return str(value).encode("utf-8", "surrogatepass")


# The description has no word for it: OpenAPI's `allowEmptyValue` is deprecated. It is no value against the schema, then.
@schemathesis.hook
def filter_case(context, case):
    return all(value not in ("", [""]) for value in (case.query or {}).values())
